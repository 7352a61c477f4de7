"""Compares a batch of pictures with a panel's calibration cases: whether it differs, and in what."""

from collections.abc import Callable, Sequence
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doubleread.core.batch import BatchComparison, Difference
from doubleread.core.case import Case
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.ood.two_sample import (
    FEWEST_GROUPS,
    Apart,
    Codes,
    Shuffles,
    divisions,
    drawn_groups,
    joint_codes,
    outside,
    shifts,
    shuffled,
    told_apart,
    told_apart_ungrouped,
)
from doubleread.orchestrator.resampling import group_codes
from doubleread.panel._reference import Looked, PictureReference, groups_of, whole_groups
from doubleread.rag.bulk_embedding import EmbeddedCases
from doubleread.rag.images.picture_statistics import TRAITS, difference, scaled, traits_of

Rows = tuple[EmbeddedCases, EmbeddedCases]
"""Embeddings of the panel's encoder, and statistics of pictures."""
LEVEL = 0.01
"""Largest false alarm rate for batches that are like the calibration cases."""
FEWEST = 30
"""Smaller batches are not judged."""
MOST = 500
"""Largest number of compared pictures; larger batches are sampled by whole groups."""
_TESTS = 2
"""Embeddings and traits are tested at half the level each (Bonferroni). With few groups, a large shift of a trait
is easier to detect than a classifier's success on many components."""
SURE, CLEAR, SHOWN = 0.05, 0.15, 3
"""A trait is reported if its shift has a joint p-value of at most 0.05 and is at least 0.15 ranks; at most three."""
_UNKNOWN = (
    "the groups of these pictures are unknown: they were taken for a few whole groups; if all come from one or two "
    "(one patient, one module), that alone may be the difference"
)
_ALIKE = "simple statistics of the pictures show no difference"


def compare_verdicts(
    said: Sequence[tuple[Case, int]], reference: PictureReference | None, look: Callable[[Sequence[Case]], Rows]
) -> BatchComparison:
    """Compares cases with the calibration cases. Each comes with the index of the panel's label, or -1.

    ``look`` returns their embeddings and statistics; cases that can no longer be read are left out.
    """
    if reference is None or len(said) < FEWEST:
        return not_judged(len(said), "" if reference is None else f"fewer than {FEWEST} pictures")
    trusted = reference.calibration
    chosen = [said[i] for i in sampled(groups_of([case for case, _ in said]), len(said), trusted)]
    rows = look([case for case, _ in chosen])
    kept = sorted(set.intersection(*(set(one.kept) for one in rows)))
    embeddings, statistics = (one.embeddings[np.searchsorted(one.kept, kept), 0] for one in rows)
    labels = np.array([chosen[i][1] for i in kept], np.int64)
    return compare(Looked(embeddings, statistics, labels, groups_of([chosen[i][0] for i in kept])), trusted)


def sampled(groups: Sequence[str | None] | None, n: int, trusted: Looked) -> Codes:
    """Returns the rows of a batch to compare: all, or whole groups of a large batch.

    If the calibration cases have no groups, it is one picture of each group. If the groups of the batch are unknown
    (None), it is at most half as many pictures as there are calibration cases.
    """
    if trusted.groups is not None:
        return whole_groups(groups, n, MOST if groups is not None else min(MOST, max(FEWEST, len(trusted) // 2)))
    alone = np.sort(np.unique(group_codes(groups, n), return_index=True)[1])
    return alone[whole_groups(None, len(alone), MOST)]


def compare(batch: Looked, trusted: Looked) -> BatchComparison:
    """Tests whether a batch, as chosen by ``sampled``, is like the calibration cases, and in what it differs.

    Only pictures with the same panel label are compared.
    """
    sizes = (len(trusted), len(batch))
    if len(batch) < FEWEST or not len(trusted):
        return not_judged(len(batch), f"fewer than {FEWEST} pictures can be compared")
    second = np.arange(sum(sizes)) >= len(trusted)
    codes = joint_codes(trusted.groups, batch.groups, sizes)
    known = trusted.groups is None or batch.groups is not None
    found = BatchComparison(
        n=len(batch),
        groups=len(np.unique(codes[second])) if known else None,
        trusted=len(trusted),
        trusted_groups=len(np.unique(codes[~second])),
        level=LEVEL,
        note="" if known else _UNKNOWN,
    )
    pair = _Compared(batch, trusted, codes, second)
    return _shuffled(found, pair) if known else _drawn(found, pair)


def not_judged(n: int, why: str) -> BatchComparison:
    """Returns a result without a judgement of ``n`` pictures; without a reason, there is nothing to compare with."""
    note = why or "this panel cannot judge batches: it keeps no pictures to compare them with; fit it again"
    return BatchComparison(n=n, groups=None, trusted=0, trusted_groups=0, level=LEVEL, note=note)


class _Compared(NamedTuple):
    batch: Looked
    trusted: Looked
    codes: Codes
    second: NDArray[np.bool_]

    @property
    def labels(self) -> Labels:
        return np.concatenate([self.trusted.said, self.batch.said]) + 1

    @property
    def embeddings(self) -> Matrix:
        return np.concatenate([self.trusted.embeddings, self.batch.embeddings]).astype(float)

    @property
    def traits(self) -> Matrix:
        return np.concatenate([traits_of(self.trusted.statistics), traits_of(self.batch.statistics)])


def _shuffled(found: BatchComparison, pair: _Compared) -> BatchComparison:
    """Tests by permuting the groups of both sides."""
    if divisions(pair.codes, pair.second) * LEVEL < _TESTS:
        return _by_traits(found, pair)
    shuffles = shuffled(pair.second, pair.codes)
    apart = told_apart(pair.embeddings, pair.labels, shuffles)
    return _judged(found, pair, apart, *shifts(pair.traits, pair.labels, shuffles))


def _drawn(found: BatchComparison, pair: _Compared) -> BatchComparison:
    """Tests by drawing calibration groups into batches of the same size."""
    trusted = pair.codes[~pair.second]
    drawn = drawn_groups(trusted, len(pair.batch))
    groups = round(float(np.mean([len(np.unique(trusted[column > 0])) for column in drawn.T])))
    if comb(found.trusted_groups, groups) * LEVEL < _TESTS:
        return _by_traits(found, pair)
    apart = told_apart_ungrouped(pair.embeddings, pair.labels, drawn)
    second = np.concatenate([drawn, np.zeros((len(pair.batch), drawn.shape[1]))])
    truth = pair.second[:, None].astype(float)
    return _judged(
        found, pair, apart, *shifts(pair.traits, pair.labels, Shuffles(np.hstack([truth, second]), pair.codes))
    )


def _judged(found: BatchComparison, pair: _Compared, apart: Apart, moved: Vector, p_values: Vector) -> BatchComparison:
    clear = np.abs(moved) >= CLEAR
    by_traits = float(p_values[clear].min()) if clear.any() else 1.0
    p_value = min(1.0, _TESTS * min(apart.p_value, by_traits))
    differs = p_value <= LEVEL
    order = [i for i in np.argsort(-np.abs(moved)) if p_values[i] <= SURE and clear[i]]
    update = {
        "auc": apart.auc,
        "p_value": p_value,
        "differs": differs,
        "differences": _differences(pair, order) if differs else (),
    }
    return found.model_copy(update=update)


def _by_traits(found: BatchComparison, pair: _Compared) -> BatchComparison:
    """Tests by traits alone, if there are too few groups: the batch is treated as one more group."""
    if found.trusted_groups < FEWEST_GROUPS:
        return found.model_copy(update={"note": _too_few(found)})
    p_values = outside(scaled(pair.traits), pair.labels, pair.codes, pair.second)
    order = [i for i in np.argsort(p_values) if p_values[i] <= LEVEL]
    if not order:
        return found.model_copy(update={"p_value": float(p_values.min()), "note": f"{_too_few(found)}; {_ALIKE}"})
    update = {"p_value": float(p_values.min()), "differs": True, "differences": _differences(pair, order)}
    return found.model_copy(update={**update, "note": _too_few(found)})


def _differences(pair: _Compared, order: Sequence[int]) -> tuple[Difference, ...]:
    ours, theirs = traits_of(pair.batch.statistics), traits_of(pair.trusted.statistics)
    found = [difference(TRAITS[i], ours[:, i], theirs[:, i]) for i in order]
    if any(one.told == "grey" for one in found):  # a colour cast, or less colour, would repeat this
        found = [one for one in found if one.told == "grey" or not one.statistic.endswith("cast")]
    return tuple(found[:SHOWN])


def _too_few(found: BatchComparison) -> str:
    here = "an unknown number of" if found.groups is None else str(found.groups)
    return (
        f"too few groups to compare embeddings at a level of {found.level:.0%}: {found.trusted_groups} among the "
        f"calibration cases, {here} in this batch"
    )
