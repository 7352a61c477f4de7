"""What one encoder makes of labelled images: cross-fitted readings, similar images, unknown labels, speed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from scipy.special import log_softmax
from scipy.stats import rankdata

from doubleread.agents.gaussian_head import fit_head
from doubleread.core.case import Case
from doubleread.core.ports import Encoder
from doubleread.core.types import Embeddings, Labels, Matrix, Vector
from doubleread.orchestrator.metrics import Flags
from doubleread.orchestrator.resampling import Fold, Indices, group_codes, grouped_folds
from doubleread.rag.images.case_images import Images

TIMED = 32
"""Images that the speed is measured on."""
_ROWS = 1024
"""Images that are compared with all others at a time."""
TIMED_SIDE = 1024
"""Longer side at which they are opened, in pixels."""


@dataclass(frozen=True)
class EncoderTrial:
    """Held-out results of one encoder on ``n`` cases.

    ``readings`` are log-probabilities ``(n, n_labels)`` of a discriminant head that was fitted without the case's
    group. ``near`` is whether the most similar image of another group has the same label, ``unknown`` the AUROC of
    telling a label that the head was not fitted on, by label left out.
    """

    readings: Matrix
    near: Flags
    unknown: tuple[float, ...]


def trial_of(
    embeddings: Embeddings, labels: Labels, groups: Sequence[str] | None, folds: int, seed: int
) -> EncoderTrial:
    """Cross-fits a discriminant head on embeddings ``(n, dim)`` and label indices ``(n,)``; groups stay whole.

    Raises ``DataError`` if a label has a single group.
    """
    x, n_labels = np.asarray(embeddings, dtype=float), int(labels.max()) + 1
    readings = np.full((len(x), n_labels), np.nan)
    unknown: list[list[float]] = [[] for _ in range(n_labels)]
    for fold in grouped_folds(labels, groups, folds, seed):
        head = fit_head(x[fold.train], labels[fold.train], n_labels, _of(groups, fold.train)).head
        readings[fold.test] = log_softmax(head.log_scores(x[fold.test]), axis=1)
        for label, score in _unknown(x, labels, groups, fold):
            unknown[label].append(score)
    near = _near(x, labels, group_codes(groups, len(x)))
    return EncoderTrial(readings, near, tuple(float(np.mean(one)) for one in unknown if one))


def _unknown(x: Matrix, labels: Labels, groups: Sequence[str] | None, fold: Fold) -> Iterator[tuple[int, float]]:
    """AUROC by label left out: a case is the stranger, the lower its highest log-score."""
    for label in range(int(labels.max()) + 1):
        kept, strange = fold.train[labels[fold.train] != label], labels[fold.test] == label
        if len(np.unique(labels[kept])) < 2 or strange.all() or not strange.any():
            continue
        renamed = np.unique(labels[kept], return_inverse=True)[1]
        head = fit_head(x[kept], renamed, int(renamed.max()) + 1, _of(groups, kept)).head
        yield label, _auroc(-head.log_scores(x[fold.test]).max(axis=1), strange)


def _of(groups: Sequence[str] | None, rows: Indices) -> list[str] | None:
    return None if groups is None else [groups[i] for i in rows]


def _auroc(scores: Vector, strange: Flags) -> float:
    """Probability that a strange case scores above another, ties counting half (Mann and Whitney 1947)."""
    ranks, m = rankdata(scores), int(strange.sum())
    return float((ranks[strange].sum() - m * (m + 1) / 2) / (m * (len(scores) - m)))


def _near(x: Matrix, labels: Labels, blocks: Indices) -> Flags:
    """Whether the most similar image of another group has the label of each case, shape ``(n,)``."""
    found = np.empty(len(x), dtype=bool)
    for start in range(0, len(x), _ROWS):
        rows = slice(start, start + _ROWS)
        cosines = x[rows] @ x.T
        cosines[blocks[rows, None] == blocks] = -np.inf
        found[rows] = labels[cosines.argmax(axis=1)] == labels[rows]
    return found


def images_a_second(encoder: Encoder, images: Images, cases: Sequence[Case]) -> float:
    """Measures how many images an encoder takes in a second, without opening them."""
    opened = [images.open(case, max_side=TIMED_SIDE) for case in cases[:TIMED]]
    encoder.encode(opened[:1])  # what the first call initialises is not counted
    began = perf_counter()
    encoder.encode(opened)
    return len(opened) / (perf_counter() - began)
