"""A Gaussian head for few cases: how far to shrink the covariance, and how sure to be.

Model: label ``k`` has mean ``μ_k``; all labels share the covariance ``Σ`` of shape ``(dim, dim)``. With residuals
``C`` of ``n`` cases from their label's mean,

    Σ̂ = CᵀC / (n - 1) + ridge · tr(CᵀC) / (n - 1)² · I
    q_k(x) = ‖W(x - μ̂_k)‖² - v / n_k,   WᵀW = Σ̂⁻¹
    log p(label k | x) = -scale · q_k(x) / D + constant

``ridge = 1`` is the empirical-Bayes estimator of Wang et al. 2024 (arXiv 2402.04087, section 3.2). ``v`` is the mean
squared distance of a case from its label's mean, so that ``v / n_k`` is what the error of ``μ̂_k`` adds to a distance:
without it, labels with few cases would seem further away than they are. ``D`` is the mean squared distance between two
cases of different labels. It makes ``scale`` free of units, and it can be measured with a single case a label.

``scale`` (an inverse temperature, Guo et al. 2017, arXiv 1706.04599) and ``ridge`` have the least log-loss on held-out
groups of the support, with a log-normal prior on ``scale``. With a single case a label only the prior is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from doubleread.agents.folds import Fold, Indices, as_blocks, blocks_per_label, label_folds
from doubleread.core.types import Labels, Matrix, Vector

COMPONENTS = 256
"""Principal components kept. With fewer cases than that nothing is lost: the cases span no more."""
FOLDS = 10
RIDGES = (1.0, 0.25, 0.0625)
"""Lighter step by step, as long as the held-out gain of the next step exceeds one standard error."""
GROUPS_FOR_RIDGE = 4.0
"""A ridge below the first is tried from ``GROUPS_FOR_RIDGE / ridge`` groups a label: fewer cannot tell."""
FIRST_SCALE, GROWTH, LOG_SPREAD = 5.0, 0.6, 1.0
"""Prior of ``scale`` with ``m`` groups a label: log-normal around ``FIRST_SCALE · m ** GROWTH``.

Fitted to the best scales on leaves, solar cells, microstructures and printed layers, each seen by two encoders, and on
text vectors of CLIP, with 1 to 16 cases a label: the median over the sets, and somewhat less than their spread.
"""


@dataclass(frozen=True)
class GaussianHead:
    """``log p(k | x) = -½‖xW - m_k‖² + v / (2 n_k) + constant``, with the scale inside ``W``.

    ``whitening`` is ``W`` of shape ``(dim, components)``, ``means`` are the ``m_k`` ``(n_labels, components)``,
    ``counts`` the ``n_k`` and ``spread`` is ``v``.
    """

    whitening: Matrix
    means: Matrix
    counts: Vector
    spread: float

    def log_scores(self, x: Matrix) -> Matrix:
        """Log-probabilities up to a constant a row, shape ``(n, n_labels)``, for ``x`` ``(n, dim)``."""
        offset = (self.spread / self.counts - (self.means**2).sum(axis=1)) / 2
        return np.asarray((x @ self.whitening) @ self.means.T + offset)

    def scaled(self, factor: float) -> "GaussianHead":
        """The same head with all differences of log-probabilities ``factor`` times as large."""
        root = np.sqrt(factor)
        return GaussianHead(self.whitening * root, self.means * root, self.counts, self.spread * factor)

    def joined_by(self, x: Matrix, labels: Labels) -> "GaussianHead":
        """The head after it has seen these cases once more: means and counts move, the covariance stays."""
        added = np.eye(len(self.counts))[labels.astype(int)].T
        counts = self.counts + added.sum(axis=1)
        means = (self.counts[:, None] * self.means + added @ (x @ self.whitening)) / counts[:, None]
        return GaussianHead(self.whitening, means, counts, self.spread)


class Fitted(NamedTuple):
    """A fitted head, and what was chosen for it."""

    head: GaussianHead
    ridge: float
    scale: float


class _Trial(NamedTuple):
    """Held-out scores of one ridge with unit scale, one row for each time that a case was held out."""

    scores: Matrix
    rows: Indices


def fit_head(x: Matrix, labels: Labels, n_labels: int, groups: Sequence[str] | None = None) -> Fitted:
    """The head for embeddings ``(n, dim)`` and label indices ``(n,)``; every label needs a case."""
    blocks = as_blocks(groups, len(x))
    axes = _leading_axes(x)
    z = (x - x.mean(axis=0)) @ axes
    ridge, scale = _choose(z, labels, blocks, n_labels)
    head = unit_head(z, labels, n_labels, ridge).scaled(scale)
    whitening = axes @ head.whitening
    return Fitted(
        GaussianHead(whitening, head.means + x.mean(axis=0) @ whitening, head.counts, head.spread), ridge, scale
    )


def unit_head(z: Matrix, labels: Labels, n_labels: int, ridge: float) -> GaussianHead:
    """The head with ``scale = 1``. Without any spread within the labels the covariance is a sphere."""
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
    spread = float(within.sum()) / max(len(z) - n_labels, 1)
    head = GaussianHead(whitening, means @ whitening, counts, spread)
    return head.scaled(2 / max(_between_labels(head.means, within, labels), 1e-12))


def _between_labels(means: Matrix, within: Vector, labels: Labels) -> float:
    """Mean squared distance of two cases of different labels, all pairs of labels alike; ``within`` as ``(n,)``."""
    k = len(means)
    apart = ((means[:, None] - means[None]) ** 2).sum() / (k * (k - 1))
    return float(apart + 2 * np.mean([within[labels == i].mean() for i in range(k)]))


def _leading_axes(x: Matrix) -> Matrix:
    _, _, directions = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    return np.asarray(directions[: min(COMPONENTS, len(x) - 1, x.shape[1])].T)


def _choose(z: Matrix, labels: Labels, blocks: Indices, n_labels: int) -> tuple[float, float]:
    """Ridge and scale with the least held-out log-loss; see ``RIDGES``."""
    counts = blocks_per_label(labels, blocks, n_labels)
    centre = float(np.log(_expected_scale(counts)))
    folds = _repeated_folds(labels, blocks)
    if not folds:
        return RIDGES[0], float(np.exp(centre))
    weights = _balanced(labels, n_labels)
    chosen: tuple[float, float, Vector] | None = None
    for ridge in (one for one in RIDGES if one == RIDGES[0] or one * counts.min() >= GROUPS_FOR_RIDGE):
        trial = _held_out(z, labels, blocks, folds, ridge, n_labels)
        shares = weights[trial.rows] / np.bincount(trial.rows, minlength=len(z))[trial.rows]
        scale = _best_scale(trial, labels, shares, centre)
        lost = np.bincount(trial.rows, shares * _losses(trial, labels, scale), minlength=len(z))
        if chosen is not None and not _exceeds_its_error(chosen[2] - lost, blocks):
            break
        chosen = ridge, scale, lost
    assert chosen is not None
    return chosen[0], chosen[1]


def _expected_scale(blocks_a_label: Vector) -> float:
    return FIRST_SCALE * _harmonic(blocks_a_label) ** GROWTH


def _harmonic(counts: Vector) -> float:
    return float(len(counts) / (1 / counts).sum())


def _balanced(labels: Labels, n_labels: int) -> Vector:
    """Weights that count all labels alike and sum to the number of cases that an even support would be worth."""
    counts = np.bincount(labels, minlength=n_labels).astype(float)
    return np.asarray(_harmonic(counts) / counts[labels])


def _repeated_folds(labels: Labels, blocks: Indices) -> list[Fold]:
    """About ``FOLDS`` folds: where few are possible, the cases are divided several times."""
    found: list[Fold] = []
    for seed in range(FOLDS):
        once = list(label_folds(labels, blocks, folds=FOLDS, seed=seed))
        found += once
        if not once or len(found) + len(once) > FOLDS:
            break
    return found


def _held_out(z: Matrix, labels: Labels, blocks: Indices, folds: Sequence[Fold], ridge: float, n_labels: int) -> _Trial:
    """Scores of held-out cases, put at the scale that suits the whole support: more cases allow a larger one."""
    whole = _expected_scale(blocks_per_label(labels, blocks, n_labels))
    scores = []
    for fold in folds:
        some = fold.training
        less = _expected_scale(blocks_per_label(labels[some], blocks[some], n_labels))
        scores.append(unit_head(z[some], labels[some], n_labels, ridge).log_scores(z[fold.held_out]) * less / whole)
    return _Trial(np.concatenate(scores), np.concatenate([fold.held_out for fold in folds]))


def _losses(trial: _Trial, labels: Labels, scale: float) -> Vector:
    logs = log_softmax(scale * trial.scores, axis=1)
    return np.asarray(-logs[np.arange(len(logs)), labels[trial.rows]])


def _best_scale(trial: _Trial, labels: Labels, shares: Vector, centre: float) -> float:
    def penalised(log_scale: float) -> float:
        prior = (log_scale - centre) ** 2 / (2 * LOG_SPREAD**2)
        return float(shares @ _losses(trial, labels, float(np.exp(log_scale)))) + prior

    return float(np.exp(minimize_scalar(penalised, bounds=(centre - 6, centre + 4), method="bounded").x))


def _exceeds_its_error(gains: Vector, blocks: Indices) -> bool:
    """Whether the sum of the cases' gains exceeds one standard error, clustered by group."""
    clusters = np.bincount(blocks, gains - gains.mean())
    return bool(gains.sum() > np.sqrt((clusters**2).sum()))
