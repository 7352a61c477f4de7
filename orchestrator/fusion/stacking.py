"""Stacking: a ridge multinomial regression on the log opinions."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from doubleread.core.errors import DataError
from doubleread.core.types import Labels, Matrix, Tensor3, Vector
from doubleread.orchestrator.resampling import Fold, grouped_folds
from doubleread.orchestrator.simplex import log_loss, softmax, spoken

from doubleread.orchestrator.fusion.base import PanelRecord, PanelRule, Pooled, Present, logs_of, reach

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
FOLDS = 5
SEED = 0
FLOOR = 1e-3


class StackingRecord(PanelRecord):
    """Fitted coefficients."""

    coefficients: tuple[tuple[tuple[float, ...], ...], ...]
    """``[agent][said label][label]``: what a unit of an agent's log opinion adds to the logit of a label."""
    intercept: tuple[float, ...]
    penalty: float


class Regression(NamedTuple):
    """Coefficients ``(features, k)`` and intercept ``(k,)``."""

    B: Matrix
    c: Vector


class Stacking(PanelRule[StackingRecord]):
    """``logits = intercept + sum_a B_a x_a``, x_a being agent a's log opinion relative to the label shares.

    An absent agent's x_a is 0, which says nothing. Every training case on which several agents spoke is repeated
    with some of them struck out, so that those who remain are not under-rated. Of the ridge penalties, the one with
    the least cross-fitted log loss is taken. Source: Wolpert 1992.
    """

    kind = "stacking"
    record_type = StackingRecord
    augment = 1.0
    target = 0.0

    def _learn(self, opinions: Tensor3, labels: Labels, panel: PanelRecord) -> StackingRecord:
        n, agents, k = opinions.shape
        x = logs_of(opinions, spoken(opinions), panel.seen, FLOOR)
        base = np.log(panel.seen)
        penalty = _choose_penalty(x, labels, base, self.augment, self.target)
        fitted = _regress(x, labels, base, penalty, self.augment, self.target)
        return StackingRecord(
            coefficients=tuple(tuple(tuple(r) for r in block) for block in fitted.B.reshape(agents, k, k).tolist()),
            intercept=tuple(fitted.c.tolist()),
            penalty=penalty,
            **panel.model_dump(),
        )

    def _pool(self, opinions: Tensor3, present: Present) -> Pooled:
        fitted = self.fitted
        x = logs_of(opinions, present, fitted.seen, FLOOR)
        contributions = np.einsum("nas,ask->nak", x, np.array(fitted.coefficients))
        return Pooled(np.array(fitted.intercept) + contributions.sum(axis=1), reach(contributions))


def _choose_penalty(x: Tensor3, y: Labels, base: Vector, augment: float, target: float) -> float:
    try:
        folds = grouped_folds(y, None, FOLDS, SEED)
    except DataError:
        return PENALTIES[-1]
    losses = [sum(_held_out_loss(x, y, base, p, fold, augment, target) for fold in folds) for p in PENALTIES]
    return PENALTIES[int(np.argmin(losses))]


def _held_out_loss(x: Tensor3, y: Labels, base: Vector, penalty: float, fold: Fold, augment: float, target: float) -> float:
    fitted = _regress(x[fold.train], y[fold.train], base, penalty, augment, target)
    return log_loss(x[fold.test].reshape(len(fold.test), -1) @ fitted.B + fitted.c, y[fold.test])


def _regress(x: Tensor3, y: Labels, base: Vector, penalty: float, augment: float, target: float) -> Regression:
    n, agents, k = x.shape
    keep = _struck_out(np.abs(x).sum(axis=2) > 0)
    design = np.concatenate([x, x * keep[..., None]]).reshape(2 * n, -1)
    weight = np.r_[np.ones(n), np.full(n, augment)] / (1 + augment)
    truth = np.eye(k)[np.r_[y, y]]
    start = np.concatenate([np.tile(target * np.eye(k), (agents, 1)), base[None]])

    def objective(flat: Vector) -> tuple[float, Vector]:
        theta = flat.reshape(-1, k)
        p = softmax(design @ theta[:-1] + theta[-1])
        away = theta - start
        away[-1] *= 0.1
        loss = -(weight * np.log(np.maximum((p * truth).sum(axis=1), 1e-300))).sum() + 0.5 * penalty * (away**2).sum()
        error = weight[:, None] * (p - truth)
        away[-1] *= 0.1
        gradient = np.concatenate([design.T @ error, error.sum(axis=0)[None]]) + penalty * away
        return float(loss), gradient.ravel()

    best = minimize(objective, start.ravel(), jac=True, method="L-BFGS-B").x.reshape(-1, k)
    return Regression(best[:-1], best[-1])


def _struck_out(spoke: Present) -> Present:
    """Who is kept when agents are struck out at random, at least one per case."""
    rng = np.random.default_rng(SEED)
    keep = spoke & (rng.random(spoke.shape) < 0.5)
    lonely = np.where(spoke, rng.random(spoke.shape), -1).argmax(axis=1)
    none = ~keep.any(axis=1)
    keep[none, lonely[none]] = spoke[none, lonely[none]]
    return keep
