"""Two-sample test of images: a classifier test on embeddings that permutes whole groups.

A linear classifier is fitted to separate the samples and judged on held-out groups (Lopez-Paz and Oquab 2017,
"Revisiting classifier two-sample tests"; for dataset shift see Rabanser, Günnemann and Lipton 2019, "Failing loudly").
Images of one group are alike, so the null distribution permutes groups, not images: if the groups of both samples are
exchangeable, the p-value is valid for any number of them. Only images of the same (predicted) label are compared, so a
shift of label shares alone has no effect.
"""

from collections.abc import Sequence
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.resampling import group_codes

PERMUTATIONS = 499
FEWEST_GROUPS = 5
"""Fewest groups that ``outside`` needs."""
COMPONENTS = 64
"""Principal components that the classifier uses."""
FOLDS = 5
_RIDGE = 0.5
"""Ridge penalty as a share of the components' mean variance."""
_LEAST_SPREAD = 0.02
_RESTS = 9
"""Random subsets of the first sample that the second is compared with; the median result counts."""
_TIE = 1e-12
Groups = Sequence[str | None]
Codes = NDArray[np.int64]


class Apart(NamedTuple):
    """How well the samples can be separated."""

    auc: float
    """Area under the ROC curve of the held-out scores; 0.5 if the samples are alike."""
    p_value: float


class Shuffles(NamedTuple):
    """Membership of the second sample, observed and after permuting the groups."""

    second: Matrix
    """Ones and zeros, ``(n, 1 + permutations)``; the first column is the observed one."""
    codes: Codes
    """Group of each row."""


def shuffled(second: NDArray[np.bool_], codes: Codes, permutations: int = PERMUTATIONS, seed: int = 0) -> Shuffles:
    """Permutes the groups of the second sample among all groups, which must not span both samples."""
    groups = np.zeros(codes.max() + 1)
    groups[codes[second]] = 1
    rng = np.random.default_rng(seed)
    drawn = np.stack([groups, *(rng.permutation(groups) for _ in range(permutations))], axis=1)
    return Shuffles(drawn[codes], codes)


def divisions(codes: Codes, second: NDArray[np.bool_]) -> int:
    """Number of possible draws of as many groups; the smallest p-value is its inverse."""
    return comb(len(np.unique(codes)), len(np.unique(codes[second])))


def joint_codes(first: Groups | None, second: Groups | None, sizes: tuple[int, int]) -> Codes:
    """Group indices of both samples, concatenated; no group is in both. None: each case is its own group."""
    ours, theirs = (group_codes(groups, n) for groups, n in zip((first, second), sizes, strict=True))
    return np.concatenate([ours, theirs + ours.max() + 1])


def told_apart(values: Matrix, labels: Labels, shuffles: Shuffles, seed: int = 0) -> Apart:
    """Tests how well a ridge classifier on principal components of ``values``, ``(n, k)``, separates the samples."""
    fold = _folds(int(shuffles.codes.max()) + 1, seed)[shuffles.codes]
    found = _cross_fitted_aucs(_components(values, labels), labels, shuffles.second, fold)
    return Apart(float(found[0]), float(np.mean(found >= found[0] - _TIE)))


def drawn_groups(codes: Codes, size: int, draws: int = PERMUTATIONS, seed: int = 0) -> Matrix:
    """Ones for the rows of random whole groups, with at least ``size`` rows and few more, ``(n, draws)``."""
    rng, sizes = np.random.default_rng(seed), np.bincount(codes)
    found = np.zeros((len(sizes), draws))
    for i in range(draws):
        order = rng.permutation(len(sizes))
        taken = int(np.searchsorted(sizes[order].cumsum(), size)) + 1
        found[order[:taken], i] = 1
    return found[codes]


def told_apart_ungrouped(values: Matrix, labels: Labels, drawn: Matrix, seed: int = 0) -> Apart:
    """The same test for unknown groups of the second sample, the last rows of ``values``.

    The sample is treated as a few whole groups: its score is compared with those of ``drawn_groups`` of the first
    sample, each separated from the rest of the first sample by a classifier that ignores groups. This is conservative,
    since a sample from more groups is harder to separate.
    """
    n, components, fold = len(drawn), _components(values, labels), _folds(len(values), seed)
    null = _cross_fitted_aucs(components[:n], labels[:n], drawn, fold[:n])
    found = np.median([_against_rest(components, labels, drawn[:, i] > 0, fold) for i in range(_RESTS)])
    return Apart(float(found), float((1 + np.sum(null >= found - _TIE)) / (1 + len(null))))


def _against_rest(components: Matrix, labels: Labels, left_out: NDArray[np.bool_], fold: Codes) -> float:
    """AUC of the second sample against the first without the rows ``left_out``."""
    used = np.concatenate([~left_out, np.ones(len(components) - len(left_out), bool)])
    second = (np.arange(len(components)) >= len(left_out))[used, None].astype(float)
    return float(_cross_fitted_aucs(components[used], labels[used], second, fold[used])[0])


def shifts(values: Matrix, labels: Labels, shuffles: Shuffles) -> tuple[Vector, Vector]:
    """Shift of the second sample in each column of ``values``, ``(n, k)``, and its p-value.

    The shift is the column's own AUC minus 0.5: 0.5 if every value exceeds all others of its label. The p-values are
    adjusted for all columns (max-T; Westfall and Young 1993).
    """
    moved = np.stack([_aucs(np.broadcast_to(v[:, None], (len(v), 1)), labels, shuffles.second) for v in values.T]) - 0.5
    sure = np.abs(moved) / np.maximum(moved.std(axis=1, keepdims=True), _TIE)
    return moved[:, 0], np.mean(sure.max(axis=0) >= sure[:, :1] - _TIE, axis=1)


def outside(values: Matrix, labels: Labels, codes: Codes, second: NDArray[np.bool_]) -> Vector:
    """p-value of each column of ``values``, ``(n, k)``, for the second sample as one further group.

    Uses Student's prediction interval for the mean of a further group, Bonferroni-corrected, and assumes normal group
    means. For too few groups to permute.
    """
    from scipy.stats import t  # noqa: PLC0415 - slow to load

    rows = values - label_means(values[~second], labels[~second], int(labels.max()) + 1)[labels]
    groups = np.unique(codes[~second], return_inverse=True)[1]
    means = np.stack([np.bincount(groups, column) / np.bincount(groups) for column in rows[~second].T], axis=1)
    spread = np.maximum(means.std(axis=0, ddof=1), _LEAST_SPREAD) * np.sqrt(1 + 1 / len(means))
    far = np.abs(rows[second].mean(axis=0) - means.mean(axis=0)) / spread
    return np.asarray(np.minimum(1.0, 2 * t.sf(far, len(means) - 1) * values.shape[1]))


def label_means(values: Matrix, labels: Labels, k: int) -> Matrix:
    """Mean of each of ``k`` labels; the overall mean for a label without rows."""
    of_label = np.eye(k)[:, labels]
    counts = of_label.sum(axis=1, keepdims=True)
    return np.asarray(np.where(counts > 0, of_label @ values / np.maximum(counts, 1), values.mean(axis=0)))


def _components(values: Matrix, labels: Labels) -> Matrix:
    """Leading principal components within labels, ``(n, ≤ 64)``."""
    centred = values - label_means(values, labels, int(labels.max()) + 1)[labels]
    if len(centred) < centred.shape[1]:
        spread, vectors = np.linalg.eigh(centred @ centred.T)
        kept = np.argsort(spread)[::-1][: min(COMPONENTS, len(centred) - 1)]
        return np.asarray(vectors[:, kept] * np.sqrt(np.maximum(spread[kept], 0)))
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ vectors[:, ::-1][:, :COMPONENTS])


def _folds(n: int, seed: int) -> Codes:
    return np.asarray(np.random.default_rng(seed).permutation(n) % min(FOLDS, n))


def _cross_fitted_aucs(x: Matrix, labels: Labels, second: Matrix, fold: Codes) -> Vector:
    scores = np.zeros_like(second)
    for k in range(FOLDS):
        if (fold == k).any() and (fold != k).any():
            scores[fold == k] = _held_out(x, labels, second, fold == k)
    return _aucs(scores, labels, second)


def _held_out(x: Matrix, labels: Labels, second: Matrix, test: NDArray[np.bool_]) -> Matrix:
    """Scores of the held-out rows, by a ridge regression on the others for every column of ``second``.

    Label means are removed from both sides, so that the label has no effect (Frisch and Waugh).
    """
    ours, theirs, k = labels[~test], labels[test], int(labels.max()) + 1
    middle = label_means(x[~test], ours, k)
    train, y = x[~test] - middle[ours], second[~test] - label_means(second[~test], ours, k)[ours]
    gram = train.T @ train
    ridge = _RIDGE * np.trace(gram) / len(gram) + _TIE
    return np.asarray((x[test] - middle[theirs]) @ np.linalg.solve(gram + ridge * np.eye(len(gram)), train.T @ y))


def _aucs(scores: Matrix, labels: Labels, second: Matrix) -> Vector:
    """AUC of every column over pairs with the same label; one column of scores may serve for all."""
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to load

    won, pairs = np.zeros(second.shape[1]), np.zeros(second.shape[1])
    for label in np.unique(labels):
        rows = labels == label
        ranks, n = rankdata(scores[rows], axis=0), second[rows].sum(axis=0)
        won += (ranks * second[rows]).sum(axis=0) - n * (n + 1) / 2
        pairs += n * (rows.sum() - n)
    return np.asarray(np.where(pairs > 0, won / np.maximum(pairs, 1), 0.5))
