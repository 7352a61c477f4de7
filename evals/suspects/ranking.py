"""How likely each given label is, by models that never saw it; and how many are wrong.

Northcutt, Jiang and Chuang 2021, "Confident Learning: Estimating Uncertainty in Dataset Labels": a label is doubted
where held-out models give another label at least the confidence that this other label's own cases have on average. The
doubted ones are left out of the second fit, and all labels are ranked by their probability in that.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from doubleread.agents.gaussian_head import leading_axes, unit_head
from doubleread.core.trust import Estimate
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.metrics import wilson
from doubleread.orchestrator.resampling import Fold, bootstrap, grouped_folds

FOLDS = 5
SUREST = 0.5
"""Share of the cases, those the models are surest of, on which wrong labels are counted."""
NEIGHBOURS = 25
SHRINKAGE = 0.2
"""Least shrinkage of the covariance towards a sphere; more where Ledoit and Wolf (2004) ask for it."""
_SHARPNESS = 20.0
"""How much more a nearer case counts: ``exp(20 cosine)``."""
_UNSEEN = 0.02
"""Weight of each neighbour that is spread over all labels, so that no label is impossible."""
Mask = NDArray[np.bool_]


def discriminant(seen: Matrix, labels: Labels, new: Matrix, n_labels: int) -> Matrix:
    """Log-probabilities ``(n, n_labels)`` of ``new`` by Gaussian discriminant analysis of ``seen``."""
    from sklearn.covariance import ledoit_wolf_shrinkage  # noqa: PLC0415 - slow to import

    axes, middle = leading_axes(seen), seen.mean(axis=0)
    z = (seen - middle) @ axes
    means = np.stack([z[labels == k].mean(axis=0) for k in range(n_labels)])
    shrinkage = np.clip(float(ledoit_wolf_shrinkage(z - means[labels], assume_centered=True)), SHRINKAGE, 0.999)
    ridge = shrinkage / (1 - shrinkage) * (len(z) - 1) / z.shape[1]  # so much of a sphere
    head = unit_head(z, labels, n_labels, ridge)
    return np.asarray(log_softmax(head.log_scores((new - middle) @ axes), axis=1))


def neighbours(seen: Matrix, labels: Labels, new: Matrix, n_labels: int) -> Matrix:
    """The same by the labels of the 25 nearest cases, the nearer the more."""
    cosine = _unit(new) @ _unit(seen).T
    nearest = np.argsort(-cosine, axis=1, kind="stable")[:, :NEIGHBOURS]
    weights = np.exp(_SHARPNESS * (np.take_along_axis(cosine, nearest, axis=1) - 1))
    votes = np.stack([(weights * (labels[nearest] == k)).sum(axis=1) for k in range(n_labels)], axis=1)
    votes += _UNSEEN * weights.sum(axis=1, keepdims=True) / n_labels
    return np.asarray(np.log(votes / votes.sum(axis=1, keepdims=True)))


def _unit(rows: Matrix) -> Matrix:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


_HEADS: tuple[Callable[[Matrix, Labels, Matrix, int], Matrix], ...] = (discriminant, neighbours)
"""Two simple classifiers on embeddings, which err differently."""


@dataclass(frozen=True)
class Ranking:
    """Cross-fitted probabilities of every label, ``(n, k)``, and how many of the given ones are wrong."""

    posterior: Matrix
    given: Labels
    wrong: Estimate
    """Expected number of wrong labels. Wrong labels of images that are hard to tell apart are not counted."""
    folds: int

    @property
    def probability(self) -> Vector:
        """Of the given label, ``(n,)``."""
        return np.asarray(self.posterior[np.arange(len(self.given)), self.given])

    @property
    def suggested(self) -> Labels:
        """The most probable other label, ``(n,)``."""
        others = self.posterior.copy()
        others[np.arange(len(self.given)), self.given] = -1
        return np.asarray(others.argmax(axis=1), dtype=np.int64)

    @property
    def order(self) -> NDArray[np.int64]:
        """Rows, the most suspicious first."""
        return np.argsort(self.probability, kind="stable").astype(np.int64)


def rank(embeddings: NDArray[np.floating[Any]], labels: Labels, groups: list[str] | None, *, seed: int = 0) -> Ranking:
    """Ranks the labels ``(n,)``, indices from 0 on, of cases with these embeddings ``(n, dim)``.

    Raises ``DataError`` where a label has fewer than two groups.
    """
    x = np.asarray(embeddings, dtype=float)
    folds = grouped_folds(labels, groups, FOLDS, seed)
    first = _cross_fitted(x, labels, folds, np.ones(len(labels), dtype=bool))
    second = _cross_fitted(x, labels, folds, ~doubted(np.exp(first), labels))
    posterior = np.exp(second)
    return Ranking(posterior, labels, _wrong(posterior, labels, groups, seed), len(folds))


def doubted(posterior: Matrix, labels: Labels) -> Mask:
    """Labels off the diagonal of the confident joint (equation 1 of the paper), ``(n,)``."""
    thresholds = np.array([posterior[labels == k, k].mean() for k in range(posterior.shape[1])])
    confident = posterior >= thresholds
    said = np.where(confident, posterior, -1.0).argmax(axis=1)
    return np.asarray(confident.any(axis=1) & (said != labels))


def _cross_fitted(x: Matrix, labels: Labels, folds: list[Fold], trusted: Mask) -> Matrix:
    """Log-probabilities: the geometric mean of the heads, each with its own temperature, fitted without the case."""
    n_labels = int(labels.max()) + 1
    found = np.zeros((len(_HEADS), len(labels), n_labels))
    for train, held_out in folds:
        seen = train[_enough(labels[train], trusted[train])]
        for head, rows in zip(_HEADS, found, strict=True):
            rows[held_out] = head(x[seen], labels[seen], x[held_out], n_labels)
    mean = np.mean([_tempered(rows, labels) for rows in found], axis=0)
    return np.asarray(log_softmax(mean, axis=1))


def _enough(labels: Labels, trusted: Mask) -> Mask:
    """The trusted cases, and all of a label of which less than half are trusted."""
    kept = trusted.copy()
    for k in np.unique(labels):
        mine = labels == k
        if 2 * trusted[mine].sum() < mine.sum():
            kept[mine] = True
    return kept


def _tempered(logs: Matrix, labels: Labels) -> Matrix:
    """Temperature scaling by maximum likelihood (Guo et al. 2017)."""
    rows = np.arange(len(labels))

    def loss(log_scale: float) -> float:
        return -float(log_softmax(logs * np.exp(log_scale), axis=1)[rows, labels].mean())

    best = minimize_scalar(loss, bounds=(-4, 8), method="bounded")
    return np.asarray(log_softmax(logs * np.exp(best.x), axis=1))


def _wrong(posterior: Matrix, labels: Labels, groups: list[str] | None, seed: int) -> Estimate:
    """Wrong labels among all, from the half that the models are surest of: what they deny there is seldom their error.

    The interval is that of a bootstrap of whole groups, and at least Wilson's.
    """
    n, confidence = len(labels), posterior.max(axis=1)
    sure = confidence >= np.quantile(confidence, 1 - SUREST)
    denied = posterior.argmax(axis=1) != labels

    def count(rows: NDArray[np.int64]) -> float:
        among = sure[rows]
        return float(n * denied[rows][among].mean()) if among.any() else float("nan")

    found = bootstrap(count, n, groups=groups, seed=seed)
    alone = wilson(int(denied[sure].sum()), int(sure.sum()))
    return Estimate(value=found.value, low=min(found.low, n * alone.low), high=max(found.high, n * alone.high))
