"""A Gaussian head for few cases: label means, a shared and shrunken covariance, and a scale.

Model: label ``k`` has mean ``μ_k``; all labels share the covariance ``Σ`` of shape ``(dim, dim)``. With ``μ̂_k`` the
mean of the label's ``n_k`` cases, ``μ̄`` that of all ``μ̂_k``, and residuals ``C`` of all ``n`` cases from their label's
mean,

    Σ̂ = CᵀC / (n - 1) + ridge · tr(CᵀC) / (n - 1)² · I,     WWᵀ = Σ̂⁻¹,     m_k = (μ̂_k - μ̄) W
    log p(label k | x) = 2 scale / D · ρ_k ((x - μ̄) W · m_k - ρ_k ‖m_k‖² / 2) + constant
    ρ_k ∝ τ² / (τ² + v / n_k),     τ² = Σ_k ‖m_k‖² / (n_labels - 1) - v · mean(1 / n_k),     max ρ = 1

With ``ridge = 1`` and as many cases of every label, this is the empirical-Bayes estimator of Wang et al. 2024 (arXiv
2402.04087, section 3.2) with equal priors. ``v`` is the mean squared distance of a case from its label's mean: means of
few cases are drawn towards the middle, as James and Stein (1961) do, compared with those of many. Without that, labels
with few cases would seem further away than they are. ``D`` is the mean squared distance between two cases of different
labels. It makes ``scale`` free of units, and it can be measured with a single case a label.

``gaussian_fit.py`` chooses ``ridge`` and ``scale``.
"""

from dataclasses import dataclass

import numpy as np

from doubleread.core.types import Labels, Matrix, Vector

LEAST_TRUE = 0.05
"""Of the spread of the estimated means, what is at least taken to be that of the true means."""


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
        """Log-probabilities up to a constant a row, shape ``(n, n_labels)``, for ``x`` ``(n, dim)``."""
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
        """The same head with all differences of log-probabilities ``factor`` times as large."""
        root = np.sqrt(factor)
        return GaussianHead(self.whitening * root, self.means * root, self.counts, self.spread * factor)

    def joined_by(self, x: Matrix, labels: Vector) -> "GaussianHead":
        """The head after it has seen these cases once more, with label indices ``(n,)``; the covariance stays."""
        added = np.eye(len(self.counts))[labels.astype(int)].T
        counts = self.counts + added.sum(axis=1)
        means = (self.counts[:, None] * self.means + added @ (x @ self.whitening)) / counts[:, None]
        return GaussianHead(self.whitening, means, counts, self.spread)


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
    apart = between_means(means @ whitening)
    spread = float(within.sum()) / max(len(z) - n_labels, 1)
    between_labels = 2 * (apart + float(np.mean([within[labels == k].mean() for k in range(n_labels)])))
    head = GaussianHead(whitening, means @ whitening, counts, spread)
    return head.scaled(2 / max(between_labels, 1e-12))


def between_means(means: Matrix) -> float:
    """Half the mean squared distance of two labels' means: their variance, summed over the components."""
    return float(((means - means.mean(axis=0)) ** 2).sum() / (len(means) - 1))
