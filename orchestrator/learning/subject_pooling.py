"""Pools the posteriors of a subject's images into one: the rule, its strength, and how both are learned."""

from typing import Literal, NamedTuple, Self

import numpy as np
from pydantic import Field, model_validator

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.metrics import CLIP, FEWEST_GROUPS, Gain, log_gain, losses
from doubleread.orchestrator.resampling import Groups, grouped_folds
from doubleread.orchestrator.simplex import softmax

PoolingRule = Literal["mean", "log-pool"]
"""Most cautious first."""
FEWEST = 5
"""Fewest subjects of the rarest label from which a rule is learned."""
LIKENESS = tuple(np.linspace(1, 0, 21).round(2).tolist())
"""Candidates of ``rho``, most cautious first."""
NOT_LEARNED = "how to combine images of one subject was not learned"


class HeldOutImages(NamedTuple):
    """Held-out posteriors ``(n, k)`` of the calibration cases, their labels and group indices, both ``(n,)``."""

    posterior: Matrix
    labels: Labels
    groups: Labels


class SubjectRows(Record):
    """For each calibration case: its subject (-1: none), group, label, and ``rho`` from folds without its group."""

    subject: tuple[int, ...]
    group: tuple[int, ...]
    label: tuple[int, ...]
    rho: tuple[float, ...]

    @model_validator(mode="after")
    def _aligned(self) -> Self:
        if len({len(self.subject), len(self.group), len(self.label), len(self.rho)}) != 1:
            raise ValueError("subjects, groups, labels and strengths differ in number")
        return self


class SubjectPooling(Record):
    """How the posteriors p_1 … p_n of a subject's images become one.

    ``mean``: their mean. ``log-pool``: ``prior · Π (p_i / prior)^w`` with ``w = n_eff / n`` and
    ``n_eff = n / (1 + (n - 1) rho)``, so that the prior counts once and images that are alike count for less:
    ``rho`` = 1 takes n images for one, ``rho`` = 0 for independent. An image without a posterior counts as one that
    says nothing: its posterior is the prior. Source: Kish 1965 for n_eff; Genest and Zidek 1986 for both pools.
    """

    rule: PoolingRule = "mean"
    rho: float = Field(default=1.0, ge=0, le=1)
    most: int = Field(default=1, ge=1)
    """Images that count; further ones add no confidence. 1 if nothing was learned."""
    held_out: SubjectRows | None = None
    note: str = ""

    @property
    def learned(self) -> bool:
        """Whether there were enough subjects with several calibration images."""
        return self.held_out is not None

    def pool(self, P: Matrix, subjects: Labels, prior: Vector, silent: int = 0, rho: Vector | None = None) -> Matrix:
        """Pools posteriors ``(n, k)`` of the subjects 0, 1, … given as ``(n,)``; one row a subject.

        ``silent`` images of each say nothing. ``rho`` may differ between subjects.
        """
        n, k = np.bincount(subjects) + silent, range(P.shape[1])
        prior = np.maximum(prior, CLIP)
        if self.rule == "mean":
            sums = np.stack([np.bincount(subjects, P[:, i]) for i in k], axis=1)
            return np.asarray((sums + silent * prior) / n[:, None])
        evidence = np.log(np.maximum(P, CLIP) / prior)
        sums = np.stack([np.bincount(subjects, evidence[:, i]) for i in k], axis=1)
        counted = np.minimum(n, self.most)
        weight = counted / (1 + (counted - 1) * (self.rho if rho is None else rho)) / n
        return softmax(np.log(prior) + weight[:, None] * sums)


def learn_pooling(
    images: HeldOutImages, subjects: Groups, prior: Vector, folds: int = 5, seed: int = 0
) -> SubjectPooling:
    """Learns the pooling from held-out posteriors of calibration cases; ``subjects`` may be None for some or all.

    The mean is used unless the log-pool, its ``rho`` fitted on other groups, lowers the log-loss of whole subjects by
    more than one standard error clustered by group. Subjects whose images have different labels are left out.
    """
    codes, mixed = _codes(subjects, images.labels)
    sizes = np.bincount(codes[codes >= 0])
    if not len(sizes) or sizes.max() < 2:
        return SubjectPooling()
    whole = _Whole.of(images, codes, np.flatnonzero(sizes > 1))
    most = max((n for n in np.unique(whole.sizes).tolist() if not _too_few(whole, n)), default=1)
    if most < 2:
        return SubjectPooling(note=f"{NOT_LEARNED}: {_too_few(whole, 2)} are too few. Their mean is used")
    try:
        parts = grouped_folds(whole.labels, whole.groups, folds, seed)
    except DataError as error:
        return SubjectPooling(note=f"{NOT_LEARNED}: {error}. Their mean is used")
    pool = SubjectPooling(rule="log-pool", most=most)
    mean = SubjectPooling(most=most).pool(whole.P, whole.rows, prior)
    each = np.array([pool.pool(whole.P, whole.rows, prior, rho=np.full(len(mean), rho)) for rho in LIKENESS])
    strengths, after = np.empty(len(mean)), np.empty_like(mean)
    for train, test in parts:
        best = _likeness(each[:, train], whole.labels[train], whole.groups[train])
        strengths[test], after[test] = LIKENESS[best], each[best, test]
    gain = log_gain(mean, after, whole.labels, whole.groups)
    rho = LIKENESS[_likeness(each, whole.labels, whole.groups)]
    known = dict(zip(whole.ids.tolist(), strengths.tolist(), strict=True))
    return SubjectPooling(
        rule="log-pool" if gain.clear else "mean",
        rho=rho,
        most=most,
        held_out=SubjectRows(
            subject=tuple(codes.tolist()),
            group=tuple(images.groups.tolist()),
            label=tuple(images.labels.tolist()),
            rho=tuple(known.get(code, rho) for code in codes.tolist()),
        ),
        note=_note(gain, rho, len(mean), mixed),
    )


class _Whole(NamedTuple):
    """Subjects with several images: their codes, posteriors with the row of their subject, labels, groups, sizes."""

    ids: Labels
    P: Matrix
    rows: Labels
    labels: Labels
    groups: Labels
    sizes: Labels

    @classmethod
    def of(cls, images: HeldOutImages, codes: Labels, ids: Labels) -> Self:
        at = np.flatnonzero(np.isin(codes, ids))
        rows = np.searchsorted(ids, codes[at])
        first = at[np.unique(rows, return_index=True)[1]]
        return cls(
            ids, images.posterior[at], rows, images.labels[first], images.groups[first], np.bincount(codes[at])[ids]
        )


def _codes(subjects: Groups, labels: Labels) -> tuple[Labels, int]:
    """Subject indices, -1 for none, and the number of subjects left out for having several labels."""
    names = [None] * len(labels) if subjects is None else list(subjects)
    found: dict[str, set[int]] = {}
    for name, label in zip(names, labels.tolist(), strict=True):
        if name is not None:
            found.setdefault(str(name), set()).add(label)
    code = {name: i for i, name in enumerate(name for name, said in found.items() if len(said) == 1)}
    return np.array([-1 if name is None else code.get(str(name), -1) for name in names], dtype=np.int64), (
        len(found) - len(code)
    )


def _too_few(whole: _Whole, images: int) -> str:
    """Which subjects with that many images are too few to learn from; empty if there are enough."""
    there = whole.sizes >= images
    rarest = int(np.bincount(whole.labels[there], minlength=whole.P.shape[1]).min())
    groups = len(np.unique(whole.groups[there]))
    if rarest < FEWEST:
        return f"{rarest} subjects of the rarest label with {images} or more calibration images"
    return f"{groups} groups of subjects with {images} or more calibration images" if groups < FEWEST_GROUPS else ""


def _likeness(each: Matrix, labels: Labels, groups: Labels) -> int:
    """Position of the ``rho`` of least log-loss; ``each`` holds posteriors of every candidate, ``(rhos, n, k)``.

    Groups are the units, and one more is assumed of which the leading label is wrong (rule of succession): subjects
    that are all right do not make the pool sure beyond their number.
    """
    units = len(np.unique(groups))
    wrong = [-np.log(max(float((1 - P.max(axis=1)).mean()), CLIP)) for P in each]
    total = [units * losses(P, labels).mean() + more for P, more in zip(each, wrong, strict=True)]
    return int(np.argmin(np.array(total).round(9)))


def _note(gain: Gain, rho: float, n: int, mixed: int) -> str:
    how = f"log-pool with a correlation of {rho:g} between images" if gain.clear else "mean of the images"
    why = "clearly better than the mean" if gain.clear else "the cautious choice, since no other was clearly better"
    left = f"; {mixed} subjects with several labels were left out" if mixed else ""
    return (
        f"subjects: {how}, {why} on {n} subjects with several images (gain in log-loss over the mean with its "
        f"standard error: {gain.line}){left}"
    )
