"""Are two samples of pictures alike? A classifier two-sample test on embeddings, with whole groups permuted.

A linear classifier is fitted to tell the samples apart and judged on groups that it was not fitted on (Lopez-Paz and
Oquab 2017, "Revisiting classifier two-sample tests"; for dataset shift see Rabanser, Günnemann and Lipton 2019,
"Failing loudly"). Pictures of one group resemble each other, so the null distribution shuffles groups, not pictures:
under the hypothesis that the groups of both samples are exchangeable, the p-value is valid for any number of them.
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
_RIDGE = 0.1
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


def without_label(values: Matrix, labels: Labels) -> Matrix:
    """The values less the mean of their label, ``(n, k)``: a different mix of labels alone moves nothing."""
    counts = np.maximum(np.bincount(labels), 1)[:, None]
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, labels, values)
    return np.asarray(values - (sums / counts)[labels])


def told_apart(values: Matrix, shuffles: Shuffles, seed: int = 0) -> Apart:
    """How well a ridge classifier on at most 64 principal components of ``values``, ``(n, k)``, tells the samples."""
    groups = int(shuffles.codes.max()) + 1
    fold = _folds(groups, seed)[shuffles.codes]
    found = _aucs(_cross_fitted(_components(values), shuffles.second, fold), shuffles.second)
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


def told_apart_ungrouped(values: Matrix, drawn: Matrix, seed: int = 0) -> Apart:
    """The same where nobody knows the groups of the second sample, the last rows of ``values``.

    It is taken for a few whole groups: its score is compared with those of ``drawn_groups`` of the first sample, each
    told from the rest of the first sample by a classifier that ignores the groups. That is cautious, for a sample from
    more groups than that is told apart less easily.
    """
    n, components = len(drawn), _components(values)
    fold = _folds(len(values), seed)
    null = _aucs(_cross_fitted(components[:n], drawn, fold[:n]), drawn)
    found = np.median([_against_rest(components, drawn[:, i] > 0, fold) for i in range(_RESTS)])
    return Apart(float(found), float((1 + np.sum(null >= found - _TIE)) / (1 + len(null))))


def _against_rest(components: Matrix, left_out: NDArray[np.bool_], fold: Codes) -> float:
    """The second sample against the first without some rows, as many as the second has."""
    used = np.concatenate([~left_out, np.ones(len(components) - len(left_out), bool)])
    second = (np.arange(len(components)) >= len(left_out))[used, None].astype(float)
    return float(_aucs(_cross_fitted(components[used], second, fold[used]), second)[0])


def shifts(values: Matrix, labels: Labels, shuffles: Shuffles) -> tuple[Vector, Vector]:
    """How far the second sample is shifted in each column of ``values``, ``(n, k)``, and how sure that is.

    The shift is the difference of mean ranks, as a share of all: 0.5 where every value is above all others. The
    p-values hold for all columns together (max-T; Westfall and Young 1993).
    """
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to load

    ranks = without_label(rankdata(values, axis=0) / len(values), labels)
    share = shuffles.second / shuffles.second.sum(axis=0)
    rest = 1 - shuffles.second
    moved = ranks.T @ (share - rest / rest.sum(axis=0))
    sure = np.abs(moved) / np.maximum(moved.std(axis=1, keepdims=True), _TIE)
    return moved[:, 0], np.mean(sure.max(axis=0) >= sure[:, :1] - _TIE, axis=1)


def outside(values: Matrix, codes: Codes, new: Matrix) -> Vector:
    """p-value of each column for a new group ``(m, k)``, given the rows of others, ``(n, k)``, and their groups.

    From Student's prediction interval for the mean of one more group, Bonferroni-corrected; group means are taken to be
    normal. For where there are too few groups to shuffle.
    """
    from scipy.stats import t  # noqa: PLC0415 - slow to load

    sizes = np.bincount(codes)
    means = np.stack([np.bincount(codes, column) / sizes for column in values.T], axis=1)
    spread = np.maximum(means.std(axis=0, ddof=1), _LEAST_SPREAD) * np.sqrt(1 + 1 / len(sizes))
    far = np.abs(new.mean(axis=0) - means.mean(axis=0)) / spread
    return np.minimum(1.0, 2 * np.asarray(t.sf(far, len(sizes) - 1), float) * values.shape[1])


def _components(values: Matrix) -> Matrix:
    """The leading principal components, ``(n, ≤ 64)``."""
    centred = values - values.mean(axis=0)
    if len(centred) < centred.shape[1]:
        spread, vectors = np.linalg.eigh(centred @ centred.T)
        kept = np.argsort(spread)[::-1][: min(COMPONENTS, len(centred) - 1)]
        return np.asarray(vectors[:, kept] * np.sqrt(np.maximum(spread[kept], 0)))
    _, vectors = np.linalg.eigh(centred.T @ centred)
    return np.asarray(centred @ vectors[:, ::-1][:, :COMPONENTS])


def _folds(n: int, seed: int) -> Codes:
    return np.asarray(np.random.default_rng(seed).permutation(n) % min(FOLDS, n))


def _cross_fitted(x: Matrix, second: Matrix, fold: Codes) -> Matrix:
    scores = np.zeros_like(second)
    for k in range(FOLDS):
        if (fold == k).any():
            scores[fold == k] = _held_out(x, second, fold == k)
    return scores


def _held_out(x: Matrix, second: Matrix, test: NDArray[np.bool_]) -> Matrix:
    """Scores of the rows left out, by a ridge regression on the others for every column of ``second``."""
    middle = x[~test].mean(axis=0)
    train, y = x[~test] - middle, second[~test] - second[~test].mean(axis=0)
    gram = train.T @ train
    ridge = _RIDGE * np.trace(gram) / len(gram) + _TIE
    return np.asarray((x[test] - middle) @ np.linalg.solve(gram + ridge * np.eye(len(gram)), train.T @ y))


def _aucs(scores: Matrix, second: Matrix) -> Vector:
    """Area under the ROC curve of every column."""
    from scipy.stats import rankdata  # noqa: PLC0415 - slow to load

    ranks, n = rankdata(scores, axis=0), second.sum(axis=0)
    others = len(second) - n
    return np.asarray(((ranks * second).sum(axis=0) - n * (n + 1) / 2) / np.maximum(n * others, 1))
