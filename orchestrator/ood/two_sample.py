"""Are two samples of pictures alike? A classifier two-sample test on embeddings, with whole groups permuted.

A linear classifier is fitted to tell the samples apart and judged on groups that it was not fitted on (Lopez-Paz and
Oquab 2017, "Revisiting classifier two-sample tests"; for dataset shift see Rabanser, Günnemann and Lipton 2019,
"Failing loudly"). Pictures of one group resemble each other, so the null distribution shuffles groups, not pictures:
under the hypothesis that the groups of both samples are exchangeable, the p-value is valid for any number of them.
Only pictures of one label (as the panel sees it) are compared: another mix of labels alone is no difference.
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
"""With fewer groups ``outside`` says nothing."""
COMPONENTS = 64
"""Principal components that the classifier sees."""
FOLDS = 5
_RIDGE = 0.5
"""Of the mean variance of the components."""
_LEAST_SPREAD = 0.02
_RESTS = 9
"""Choices of the first sample's rest that the second is compared with; the middle result counts."""
_TIE = 1e-12
Groups = Sequence[str | None]
Codes = NDArray[np.int64]


class Apart(NamedTuple):
    """How well the second sample can be told from the first."""

    auc: float
    """Area under the ROC curve of the held-out scores; 0.5 where the samples are alike."""
    p_value: float


class Shuffles(NamedTuple):
    """Who belongs to the second sample: in truth, and after shuffling the groups."""

    second: Matrix
    """Ones and zeros, ``(n, 1 + permutations)``; the first column is the truth."""
    codes: Codes
    """Group of each row."""


def shuffled(second: NDArray[np.bool_], codes: Codes, permutations: int = PERMUTATIONS, seed: int = 0) -> Shuffles:
    """The second sample, and as many of its groups drawn at random from all. No group lies in both samples."""
    groups = np.zeros(codes.max() + 1)
    groups[codes[second]] = 1
    rng = np.random.default_rng(seed)
    drawn = np.stack([groups, *(rng.permutation(groups) for _ in range(permutations))], axis=1)
    return Shuffles(drawn[codes], codes)


def divisions(codes: Codes, second: NDArray[np.bool_]) -> int:
    """In how many ways as many groups could be drawn from all: no p-value is smaller than one over it."""
    return comb(len(np.unique(codes)), len(np.unique(codes[second])))


def joint_codes(first: Groups | None, second: Groups | None, sizes: tuple[int, int]) -> Codes:
    """Groups of both samples, one after the other, as integers; no group lies in both. None: each case alone."""
    ours, theirs = (group_codes(groups, n) for groups, n in zip((first, second), sizes, strict=True))
    return np.concatenate([ours, theirs + ours.max() + 1])


def told_apart(values: Matrix, labels: Labels, shuffles: Shuffles, seed: int = 0) -> Apart:
    """How well a ridge classifier on at most 64 principal components of ``values``, ``(n, k)``, tells the samples."""
    fold = _folds(int(shuffles.codes.max()) + 1, seed)[shuffles.codes]
    found = _cross_fitted_aucs(_components(values, labels), labels, shuffles.second, fold)
    return Apart(float(found[0]), float(np.mean(found >= found[0] - _TIE)))


def drawn_groups(codes: Codes, size: int, draws: int = PERMUTATIONS, seed: int = 0) -> Matrix:
    """Ones for the rows of random whole groups, at least ``size`` rows and few more, ``(n, draws)``."""
    rng, sizes = np.random.default_rng(seed), np.bincount(codes)
    found = np.zeros((len(sizes), draws))
    for i in range(draws):
        order = rng.permutation(len(sizes))
        taken = int(np.searchsorted(sizes[order].cumsum(), size)) + 1
        found[order[:taken], i] = 1
    return found[codes]


def told_apart_ungrouped(values: Matrix, labels: Labels, drawn: Matrix, seed: int = 0) -> Apart:
    """The same where nobody knows the groups of the second sample, the last rows of ``values``.

    It is taken for a few whole groups: its score is compared with those of ``drawn_groups`` of the first sample, each
    told from the rest of the first sample by a classifier that ignores the groups. That is cautious, for a sample from
    more groups than that is told apart less easily.
    """
    n, components, fold = len(drawn), _components(values, labels), _folds(len(values), seed)
    null = _cross_fitted_aucs(components[:n], labels[:n], drawn, fold[:n])
    found = np.median([_against_rest(components, labels, drawn[:, i] > 0, fold) for i in range(_RESTS)])
    return Apart(float(found), float((1 + np.sum(null >= found - _TIE)) / (1 + len(null))))


def _against_rest(components: Matrix, labels: Labels, left_out: NDArray[np.bool_], fold: Codes) -> float:
    """The second sample against the first without some rows, as many as the second has."""
    used = np.concatenate([~left_out, np.ones(len(components) - len(left_out), bool)])
    second = (np.arange(len(components)) >= len(left_out))[used, None].astype(float)
    return float(_cross_fitted_aucs(components[used], labels[used], second, fold[used])[0])


def shifts(values: Matrix, labels: Labels, shuffles: Shuffles) -> tuple[Vector, Vector]:
    """How far the second sample is shifted in each column of ``values``, ``(n, k)``, and how sure that is.

    The shift is the AUC of the column itself, less 0.5: 0.5 where every value is above all others of its label. The
    p-values hold for all columns together (max-T; Westfall and Young 1993).
    """
    moved = np.stack([_aucs(np.broadcast_to(v[:, None], (len(v), 1)), labels, shuffles.second) for v in values.T]) - 0.5
    sure = np.abs(moved) / np.maximum(moved.std(axis=1, keepdims=True), _TIE)
    return moved[:, 0], np.mean(sure.max(axis=0) >= sure[:, :1] - _TIE, axis=1)


def outside(values: Matrix, labels: Labels, codes: Codes, second: NDArray[np.bool_]) -> Vector:
    """p-value of each column of ``values``, ``(n, k)``, for the second sample as one more group.

    From Student's prediction interval for the mean of another group, Bonferroni-corrected; group means are taken to be
    normal. For where there are too few groups to shuffle.
    """
    from scipy.stats import t  # noqa: PLC0415 - slow to load

    rows = values - label_means(values[~second], labels[~second], int(labels.max()) + 1)[labels]
    groups = np.unique(codes[~second], return_inverse=True)[1]
    means = np.stack([np.bincount(groups, column) / np.bincount(groups) for column in rows[~second].T], axis=1)
    spread = np.maximum(means.std(axis=0, ddof=1), _LEAST_SPREAD) * np.sqrt(1 + 1 / len(means))
    far = np.abs(rows[second].mean(axis=0) - means.mean(axis=0)) / spread
    return np.asarray(np.minimum(1.0, 2 * t.sf(far, len(means) - 1) * values.shape[1]))


def label_means(values: Matrix, labels: Labels, k: int) -> Matrix:
    """Mean of each of ``k`` labels, the mean of all for one without a row."""
    of_label = np.eye(k)[:, labels]
    counts = of_label.sum(axis=1, keepdims=True)
    return np.asarray(np.where(counts > 0, of_label @ values / np.maximum(counts, 1), values.mean(axis=0)))


def _components(values: Matrix, labels: Labels) -> Matrix:
    """The leading principal components within labels, ``(n, ≤ 64)``."""
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
    """Scores of the rows left out, by a ridge regression on the others for every column of ``second``.

    Label means are taken out of both sides, so that the label itself explains nothing (Frisch and Waugh).
    """
    ours, theirs, k = labels[~test], labels[test], int(labels.max()) + 1
    middle = label_means(x[~test], ours, k)
    train, y = x[~test] - middle[ours], second[~test] - label_means(second[~test], ours, k)[ours]
    gram = train.T @ train
    ridge = _RIDGE * np.trace(gram) / len(gram) + _TIE
    return np.asarray((x[test] - middle[theirs]) @ np.linalg.solve(gram + ridge * np.eye(len(gram)), train.T @ y))


def _aucs(scores: Matrix, labels: Labels, second: Matrix) -> Vector:
    """Area under the ROC curve of every column, over pairs of one label; one column of scores may serve for all."""
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to load

    won, pairs = np.zeros(second.shape[1]), np.zeros(second.shape[1])
    for label in np.unique(labels):
        rows = labels == label
        ranks, n = rankdata(scores[rows], axis=0), second[rows].sum(axis=0)
        won += (ranks * second[rows]).sum(axis=0) - n * (n + 1) / 2
        pairs += n * (rows.sum() - n)
    return np.asarray(np.where(pairs > 0, won / np.maximum(pairs, 1), 0.5))
