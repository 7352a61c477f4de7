"""A Gaussian head for few cases: label means, a shared and shrunken covariance, and a scale.

Label ``k`` has mean ``μ_k``; all labels share the covariance ``Σ`` of shape ``(dim, dim)``. ``μ̂_k`` is the mean of the
label's ``n_k`` cases, ``μ̄`` the mean of all ``μ̂_k``, and ``C`` the residuals of all ``n`` cases:

    Σ̂ = CᵀC / (n - 1) + ridge · tr(CᵀC) / (n - 1)² · I,     WWᵀ = Σ̂⁻¹,     m_k = (μ̂_k - μ̄) W
    log p(label k | x) = 2 scale / D · ρ_k ((x - μ̄) W · m_k - ρ_k ‖m_k‖² / 2) + constant
    ρ_k ∝ τ² / (τ² + v / n_k),     τ² = Σ_k ‖m_k‖² / (n_labels - 1) - v · mean(1 / n_k),     max ρ = 1

With ``ridge = 1`` and equally many cases per label, this is the empirical-Bayes estimator of Wang et al. 2024 (arXiv
2402.04087, section 3.2) with equal priors. ``v`` is the mean squared distance of a case from its label's mean. Means of
few cases are shrunk towards the centre more than those of many (James and Stein 1961); otherwise labels with few cases
would seem too far away. ``D`` is the mean squared distance between two cases of different labels. It makes ``scale``
free of units and can be measured with one case per label.

``fit_head`` selects ``ridge`` and ``scale`` (an inverse temperature, Guo et al. 2017, arXiv 1706.04599) by the least
log-loss on held-out groups of the support, with equally weighted labels and a log-normal prior on ``scale``. With one
group per label only the prior is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from doubleread.agents._folds import HeadFold, Indices, as_blocks, blocks_per_label, label_folds
from doubleread.core.types import Labels, Matrix, Vector

LEAST_TRUE = 0.05
"""Least share of the estimated means' spread that is attributed to the true means."""
COMPONENTS = 256
"""Principal components kept. Fewer cases span fewer dimensions, so nothing is lost."""
FOLDS = 10
RIDGES = (1.0, 0.25, 0.0625)
"""Candidate ridges, strongest first; the next one is taken while its held-out gain exceeds one standard error."""
GROUPS_FOR_RIDGE = 4.0
"""A ridge below the first needs ``GROUPS_FOR_RIDGE / ridge`` groups per label: fewer give no reliable choice."""
FIRST_SCALE, GROWTH, LOG_SPREAD = 5.0, 0.6, 1.0
"""Log-normal prior of ``scale`` with ``m`` groups per label, around ``FIRST_SCALE · m ** GROWTH``.

Fitted to the best scales on leaves, solar cells, microstructures and printed layers, each with two encoders, and on
text vectors of CLIP, with 1 to 16 cases per label: the median over the sets, and slightly less than their spread.
"""


@dataclass(frozen=True)
class GaussianHead:
    """``whitening`` is ``W`` ``(dim, components)`` with the scale in it, ``means`` are the ``μ̂_k W``.

    ``means`` have the shape ``(n_labels, components)``, ``counts`` are the ``n_k``, ``spread`` is ``v``.
    """

    whitening: Matrix
    means: Matrix
    counts: Vector
    spread: float

    def log_scores(self, x: Matrix) -> Matrix:
        """Log-probabilities up to a constant per row, shape ``(n, n_labels)``, for ``x`` ``(n, dim)``."""
        middle = self.means.mean(axis=0)
        means, reliable = self.means - middle, self._reliability()
        scores = (x @ self.whitening - middle) @ means.T - reliable * (means**2).sum(axis=1) / 2
        return np.asarray(scores * reliable)

    def _reliability(self) -> Vector:
        """``ρ_k``, shape ``(n_labels,)``."""
        apart = between_means(self.means)
        true_spread = max(apart - self.spread * float((1 / self.counts).mean()), LEAST_TRUE * apart, 1e-12)
        reliable = true_spread / (true_spread + self.spread / self.counts)
        return np.asarray(reliable / reliable.max())

    def scaled(self, factor: float) -> "GaussianHead":
        """The same head with all differences of log-probabilities multiplied by ``factor``."""
        root = np.sqrt(factor)
        return GaussianHead(self.whitening * root, self.means * root, self.counts, self.spread * factor)

    def joined_by(self, x: Matrix, labels: Vector) -> "GaussianHead":
        """The head updated with these cases and their label indices ``(n,)``; the covariance stays."""
        added = np.eye(len(self.counts))[labels.astype(int)].T
        counts = self.counts + added.sum(axis=1)
        means = (self.counts[:, None] * self.means + added @ (x @ self.whitening)) / counts[:, None]
        return GaussianHead(self.whitening, means, counts, self.spread)


def unit_head(z: Matrix, labels: Labels, n_labels: int, ridge: float) -> GaussianHead:
    """The head with ``scale = 1``. Without within-label variance the covariance is spherical."""
    counts = np.bincount(labels, minlength=n_labels).astype(float)
    means = np.stack([z[labels == k].mean(axis=0) for k in range(n_labels)])
    residuals = z - means[labels]
    total, freedom = float((residuals**2).sum()), len(z) - 1
    whitening = np.eye(z.shape[1])
    if total > 1e-12:
        sphere = ridge * total / freedom**2 * np.eye(z.shape[1])
        values, rotation = np.linalg.eigh(residuals.T @ residuals / freedom + sphere)
        whitening = rotation / np.sqrt(values)
    within = ((residuals @ whitening) ** 2).sum(axis=1)
    apart = between_means(means @ whitening)
    spread = float(within.sum()) / max(len(z) - n_labels, 1)
    between_labels = 2 * (apart + float(np.mean([within[labels == k].mean() for k in range(n_labels)])))
    head = GaussianHead(whitening, means @ whitening, counts, spread)
    return head.scaled(2 / max(between_labels, 1e-12))


def between_means(means: Matrix) -> float:
    """Variance of the label means, summed over components: half the mean squared distance of two means."""
    return float(((means - means.mean(axis=0)) ** 2).sum() / (len(means) - 1))


class GaussianFit(NamedTuple):
    """A fitted head with its selected ridge and scale."""

    head: GaussianHead
    ridge: float
    scale: float


class _RidgeTrial(NamedTuple):
    """A ridge, its best scale, and each case's weighted held-out log-loss with both, shape ``(n,)``."""

    ridge: float
    scale: float
    losses: Vector


def fit_head(x: Matrix, labels: Labels, n_labels: int, groups: Sequence[str] | None = None) -> GaussianFit:
    """Fits the head on embeddings ``(n, dim)`` and label indices ``(n,)``; every label needs a case."""
    blocks = as_blocks(groups, len(x))
    axes = leading_axes(x)
    z = (x - x.mean(axis=0)) @ axes
    ridge, scale = _choose(z, labels, blocks, n_labels)
    head = unit_head(z, labels, n_labels, ridge).scaled(scale)
    whitening = axes @ head.whitening
    return GaussianFit(
        GaussianHead(whitening, head.means + x.mean(axis=0) @ whitening, head.counts, head.spread), ridge, scale
    )


def leading_axes(x: Matrix) -> Matrix:
    """The first principal components of ``x`` ``(n, dim)``, shape ``(dim, components)``."""
    _, _, directions = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    return np.asarray(directions[: min(COMPONENTS, len(x) - 1, x.shape[1])].T)


def _choose(z: Matrix, labels: Labels, blocks: Indices, n_labels: int) -> tuple[float, float]:
    """Selects the ridge and scale with the least held-out log-loss; see ``RIDGES``."""
    counts = blocks_per_label(labels, blocks, n_labels)
    folds = _repeated_folds(labels, blocks)
    if not folds:
        return RIDGES[0], _expected_scale(counts)
    ridges = [one for one in RIDGES if one == RIDGES[0] or one * counts.min() >= GROUPS_FOR_RIDGE]
    chosen = _try(z, labels, blocks, folds, ridges[0], n_labels)
    for ridge in ridges[1:]:
        lighter = _try(z, labels, blocks, folds, ridge, n_labels)
        if not _exceeds_its_error(chosen.losses - lighter.losses, blocks):
            break
        chosen = lighter
    return chosen.ridge, chosen.scale


def _try(
    z: Matrix, labels: Labels, blocks: Indices, folds: Sequence[HeadFold], ridge: float, n_labels: int
) -> _RidgeTrial:
    """Fits on each fold; held-out scores are rescaled from the fold's training size to the larger support."""
    whole = _expected_scale(blocks_per_label(labels, blocks, n_labels))
    rows, parts = np.concatenate([fold.held_out for fold in folds]), []
    for some, held_out in folds:
        less = _expected_scale(blocks_per_label(labels[some], blocks[some], n_labels))
        parts.append(unit_head(z[some], labels[some], n_labels, ridge).log_scores(z[held_out]) * less / whole)
    scores, truth, times = np.concatenate(parts), labels[rows], np.bincount(rows, minlength=len(z))
    weights = _balanced(labels, n_labels)[rows] / times[rows]
    scale = _best_scale(scores, truth, weights, centre=float(np.log(whole)))
    losses = np.asarray(np.bincount(rows, weights * _losses(scores, truth, scale), minlength=len(z)), dtype=float)
    return _RidgeTrial(ridge, scale, losses)


def _expected_scale(blocks_a_label: Vector) -> float:
    return float(FIRST_SCALE * _harmonic(blocks_a_label) ** GROWTH)


def _harmonic(counts: Vector) -> float:
    return float(len(counts) / (1 / counts).sum())


def _balanced(labels: Labels, n_labels: int) -> Vector:
    """Weights that count all labels alike; they sum to the size of an equally informative balanced support."""
    counts = np.bincount(labels, minlength=n_labels).astype(float)
    return np.asarray(_harmonic(counts) / counts[labels])


def _repeated_folds(labels: Labels, blocks: Indices) -> list[HeadFold]:
    """About ``FOLDS`` folds, from repeated splits if one split gives few."""
    found: list[HeadFold] = []
    for seed in range(FOLDS):
        once = list(label_folds(labels, blocks, folds=FOLDS, seed=seed))
        found += once
        if not once or len(found) + len(once) > FOLDS:
            break
    return found


def _losses(scores: Matrix, truth: Labels, scale: float) -> Vector:
    logs = log_softmax(scale * scores, axis=1)
    return np.asarray(-logs[np.arange(len(logs)), truth])


def _best_scale(scores: Matrix, truth: Labels, weights: Vector, *, centre: float) -> float:
    def penalised(log_scale: float) -> float:
        prior = (log_scale - centre) ** 2 / (2 * LOG_SPREAD**2)
        return float(weights @ _losses(scores, truth, float(np.exp(log_scale)))) + prior

    return float(np.exp(minimize_scalar(penalised, bounds=(centre - 6, centre + 4), method="bounded").x))


def _exceeds_its_error(gains: Vector, blocks: Indices) -> bool:
    """Whether the sum of the cases' gains exceeds one standard error, clustered by group."""
    clusters = np.bincount(blocks, gains - gains.mean())
    return bool(gains.sum() > np.sqrt((clusters**2).sum()))
