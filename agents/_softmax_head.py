"""Ridge-regularised softmax regression; its strength has the least held-out log-loss after temperature scaling.

Model for an embedding ``x`` of length ``dim``, with the support's mean ``μ``, standard deviations ``σ`` (both of shape
``(dim,)``) and label shares ``π``:

    z = (x - μ) / (a √σ)                             a: the mean of |z|² over the support is 1
    B, b = argmin  Σ_i -log softmax(B z_i + b)[y_i] + |B|² / (2 · strength)
    log p(label | x) = (B z + b - log π) / t + log π + constant

Dividing by ``√σ`` is half-way to standardised dimensions, which clearly lost on some sets and gained on others. The
temperature ``t`` (Guo et al. 2017, arXiv 1706.04599) does not change the prior: opinions assume the support's shares.
``B`` is fitted in the leading principal components of ``z``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

from doubleread.agents._folds import HeadFold, as_blocks, label_folds
from doubleread.core.types import Labels, Matrix, Vector

COMPONENTS = 256
FOLDS = 5
STRENGTHS = tuple(float(s) for s in np.logspace(-2, 3, 11))
"""Inverse ridge strengths, tried from the strongest ridge on until two in a row bring no gain."""
UNTRIED = 10.0
"""Strength, with temperature 1, if no fold is possible: gives cautious probabilities on any data."""
LOG_SPREAD = 0.5
"""Spread of the log-normal temperature prior around 1; prevents extreme values with few held-out cases."""


@dataclass(frozen=True)
class SoftmaxHead:
    """``weights`` are ``B`` ``(n_labels, dim)``, ``bias`` is ``b``, ``centre`` is ``μ``, ``width`` is ``a √σ``."""

    weights: Matrix
    bias: Vector
    centre: Vector
    width: Vector
    shares: Vector
    strength: float
    temperature: float

    def log_scores(self, x: Matrix, step: Matrix | None = None) -> Matrix:
        """Log-probabilities up to a constant per row, ``(n, n_labels)``; ``step`` is added to the weights."""
        weights = self.weights if step is None else self.weights + step
        prior = np.log(self.shares)
        return np.asarray((self.scaled(x) @ weights.T + self.bias - prior) / self.temperature + prior)

    def scaled(self, x: Matrix) -> Matrix:
        """``z`` of embeddings ``(n, dim)``."""
        return np.asarray((x - self.centre) / self.width)

    def step_towards(self, x: Matrix, labels: Vector) -> Matrix:
        """MAP update of the weights with a Gaussian prior around the fitted ones, shape ``(n_labels, dim)``.

        By the representer theorem the step is ``Aᵀ z``: only ``k × n_labels`` unknowns for any ``dim``.
        """
        z = self.scaled(x)
        base, gram = z @ self.weights.T + self.bias, z @ z.T
        truth = np.eye(len(self.bias))[labels.astype(int)]

        def loss(flat: Vector) -> tuple[float, Vector]:
            a = flat.reshape(base.shape)
            pull = gram @ a
            logits = base + pull
            value = -float((log_softmax(logits, axis=1) * truth).sum()) + float((a * pull).sum()) / 2 / self.strength
            slope = gram @ (softmax(logits, axis=1) - truth + a / self.strength)
            return value, slope.ravel()

        found = minimize(loss, np.zeros(base.size), jac=True, method="L-BFGS-B", options={"maxiter": 50})
        return np.asarray(found.x.reshape(base.shape).T @ z)


class _Choice(NamedTuple):
    """A strength, its best temperature, and the held-out log-loss with both."""

    loss: float
    strength: float
    temperature: float


def fit_softmax_head(x: Matrix, labels: Labels, n_labels: int, groups: Sequence[str] | None = None) -> SoftmaxHead:
    """Fits the head on embeddings ``(n, dim)`` and label indices ``(n,)``; cross-validation keeps groups whole."""
    centre, width = x.mean(axis=0), _widths(x)
    left, lengths, axes = np.linalg.svd((x - centre) / width, full_matrices=False)
    kept = min(COMPONENTS, len(lengths))
    z = left[:, :kept] * lengths[:kept]
    folds = list(label_folds(labels, as_blocks(groups, len(x)), folds=FOLDS))
    best = min(_tried(z, labels, n_labels, folds)) if folds else _Choice(0.0, UNTRIED, 1.0)
    found = _regression(z, labels, n_labels, best.strength)
    weights = found[:-1].T @ axes[:kept]
    return SoftmaxHead(weights, found[-1], centre, width, _shares(labels, n_labels), best.strength, best.temperature)


def _widths(x: Matrix) -> Vector:
    """``a √σ``; 1 for constant dimensions."""
    deviations = x.std(axis=0)
    roots = np.sqrt(np.where(deviations > 1e-9, deviations, np.inf))
    size = float(np.sqrt((deviations**2 / roots**2).sum()))
    return np.where(np.isfinite(roots), roots * max(size, 1e-9), 1.0)


def _shares(labels: Labels, n_labels: int) -> Vector:
    return np.asarray(np.bincount(labels, minlength=n_labels) / len(labels))


def _tried(z: Matrix, labels: Labels, n_labels: int, folds: Sequence[HeadFold]) -> Iterator[_Choice]:
    starts: list[Matrix | None] = [None] * len(folds)
    best, idle = np.inf, 0
    for strength in STRENGTHS:
        scores = []
        for i, (training, held_out) in enumerate(folds):
            found = starts[i] = _regression(z[training], labels[training], n_labels, strength, starts[i])
            balanced = z[held_out] @ found[:-1] + found[-1] - np.log(_shares(labels[training], n_labels))
            scores.append(balanced)
        rows = np.concatenate([fold.held_out for fold in folds])
        choice = _with_temperature(np.concatenate(scores), labels[rows], _shares(labels, n_labels), strength)
        yield choice
        best, idle = (choice.loss, 0) if choice.loss < best else (best, idle + 1)
        if idle == 2:
            return


def _with_temperature(balanced: Matrix, labels: Labels, shares: Vector, strength: float) -> _Choice:
    def loss(log_temperature: float) -> float:
        logs = log_softmax(balanced / np.exp(log_temperature) + np.log(shares), axis=1)
        penalty = log_temperature**2 / (2 * LOG_SPREAD**2)
        return float(penalty - logs[np.arange(len(labels)), labels].sum()) / len(labels)

    found = minimize_scalar(loss, bounds=(-3, 3), method="bounded")
    return _Choice(float(found.fun), strength, float(np.exp(found.x)))


def _regression(z: Matrix, labels: Labels, n_labels: int, strength: float, start: Matrix | None = None) -> Matrix:
    """Weights and, in the last row, biases, ``(components + 1, n_labels)``; ``start`` is a warm start."""
    n, shape = len(z), (z.shape[1] + 1, n_labels)
    truth = np.eye(n_labels)[labels]

    def loss(flat: Vector) -> tuple[float, Vector]:
        found = flat.reshape(shape)
        logs = log_softmax(z @ found[:-1] + found[-1], axis=1)
        value = -float((logs * truth).sum()) + float((found[:-1] ** 2).sum()) / (2 * strength)
        surplus = np.exp(logs) - truth
        slope = np.vstack([z.T @ surplus + found[:-1] / strength, surplus.sum(axis=0)])
        return value / n, slope.ravel() / n

    begin = np.zeros(shape) if start is None else start
    found = minimize(
        loss, begin.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 500, "gtol": 1e-4, "ftol": 1e-9}
    )
    return np.asarray(found.x.reshape(shape))
