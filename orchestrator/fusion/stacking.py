"""Stacking: a ridge multinomial regression on the log opinions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.optimize import minimize

from doubleread.core.errors import DataError
from doubleread.core.types import Labels, Matrix, Tensor3, Vector
from doubleread.orchestrator.fusion.fusion_rule import PanelRecord, PanelRule, Present, effective, logs_of
from doubleread.orchestrator.resampling import grouped_folds
from doubleread.orchestrator.simplex import log_loss, softmax, spoken

PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Ridge penalties that are tried."""
FOLDS = 5
SEED = 0
FLOOR = 1e-3
"""Opinions are clipped here: beyond it a log opinion says more about the agent's arithmetic than about the case."""
RHO = 0.5
"""Dependence of the agents that the ridge pulls towards."""
FREEDOM = 0.1
"""The intercept is shrunk this much less (in squares) than coefficients."""


class StackingRecord(PanelRecord):
    """Fitted coefficients."""

    coefficients: tuple[tuple[tuple[float, ...], ...], ...]
    """``[agent][said label][label]``: what a unit of an agent's log opinion adds to the logit of a label."""
    intercept: tuple[float, ...]
    penalty: float


class Stacking(PanelRule[StackingRecord]):
    """``logits = intercept + m_eff / m * sum_a B_a x_a``, x_a being agent a's log opinion relative to the label shares.

    m_eff is the effective number of opinions of the m agents present, for rho = 1/2 (see ``dependence.effective``).
    The ridge pulls every B_a towards the identity, which is the equal-weight log-pool. Of the penalties, the one with
    the least cross-fitted log loss is taken. An absent agent's x_a is 0, which says nothing; every training case is
    repeated with some of its agents struck out, so that what remains is read well too.
    Source: Wolpert 1992.
    """

    kind = "stacking"
    record_type = StackingRecord

    def _learn(self, opinions: Tensor3, labels: Labels, panel: PanelRecord) -> StackingRecord:
        agents, k = opinions.shape[1:]
        data = Training.of(opinions, labels, panel)
        penalty = _least_loss(data, labels)
        theta = data.regress(penalty)
        return StackingRecord(
            coefficients=tuple(tuple(map(tuple, block)) for block in theta[:-1].reshape(agents, k, k).tolist()),
            intercept=tuple(theta[-1].tolist()),
            penalty=penalty,
            **panel.model_dump(),
        )

    def _pool(self, opinions: Tensor3, present: Present) -> Matrix:
        fitted = self.fitted
        x = _features(opinions, present, fitted.seen)
        return np.asarray(np.array(fitted.intercept) + np.einsum("nas,ask->nk", x, np.array(fitted.coefficients)))


@dataclass(frozen=True, slots=True)
class Training:
    """Log opinions ``full`` and the same with agents struck out, both ``(n, agents * k)`` and a column of ones."""

    full: Matrix
    struck: Matrix
    truth: Matrix
    case_weight: float
    target: Matrix
    """What the coefficients are shrunk to, ``(agents * k + 1, k)``; its last row is the intercept."""

    @classmethod
    def of(cls, opinions: Tensor3, labels: Labels, panel: PanelRecord) -> Self:
        n, _, k = opinions.shape
        present = spoken(opinions)
        identities = np.kron(np.array(panel.heard, dtype=float)[:, None], np.eye(k))
        x, struck = (_features(opinions, who, panel.seen) for who in (present, _survivors(present)))
        ones = np.ones((n, 1))
        return cls(
            full=np.hstack([x.reshape(n, -1), ones]),
            struck=np.hstack([struck.reshape(n, -1), ones]),
            truth=np.eye(k)[labels],
            case_weight=panel.case_weight,
            target=np.vstack([identities, np.log(panel.seen)]),
        )

    def rows(self, index: Labels) -> Self:
        """The training data of some cases."""
        return type(self)(self.full[index], self.struck[index], self.truth[index], self.case_weight, self.target)

    def regress(self, penalty: float, start: Matrix | None = None) -> Matrix:
        """Coefficients and, in the last row, the intercept: shape of ``target``; both kinds of rows count half.

        ``start`` is where to begin, such as the solution for a penalty near by.
        """
        design = np.vstack([self.full, self.struck])
        truth = np.vstack([self.truth, self.truth])
        ridge = np.full((len(self.target), 1), penalty)
        ridge[-1] *= FREEDOM**2
        half = 0.5 * self.case_weight

        def objective(flat: Vector) -> tuple[float, Vector]:
            theta = flat.reshape(self.target.shape)
            p = softmax(design @ theta)
            away = theta - self.target
            likelihood = half * np.log(np.maximum((p * truth).sum(axis=1), 1e-300)).sum()
            gradient = half * design.T @ (p - truth) + ridge * away
            return float(0.5 * (ridge * away**2).sum() - likelihood), gradient.ravel()

        begin = self.target if start is None else start
        best = minimize(objective, begin.ravel(), jac=True, method="L-BFGS-B", options={"ftol": 1e-7})
        return np.asarray(best.x).reshape(self.target.shape)


def _features(opinions: Tensor3, present: Present, seen: Sequence[float]) -> Tensor3:
    m = present.sum(axis=1)
    scale = effective(m, RHO) / np.maximum(m, 1)
    return np.asarray(logs_of(opinions, present, seen, FLOOR) * scale[:, None, None])


def _least_loss(data: Training, labels: Labels) -> float:
    """The penalty with the least cross-fitted log loss; the largest where cross-fitting is impossible."""
    try:
        folds = grouped_folds(labels, None, FOLDS, SEED)
    except DataError:
        return PENALTIES[-1]
    losses = np.zeros(len(PENALTIES))
    for train, test in folds:
        part, theta = data.rows(train), data.target
        for i in reversed(range(len(PENALTIES))):  # from the strongest on, each from where the last one ended
            theta = part.regress(PENALTIES[i], theta)
            losses[i] += log_loss(data.full[test] @ theta, labels[test])
    return PENALTIES[int(losses.argmin())]


def _survivors(present: Present) -> Present:
    """Who is left when agents are struck out at random: at least one per case on which any spoke."""
    luck = np.random.default_rng(SEED).random(present.T.shape).T
    luck = np.where(present, luck, np.inf)
    return np.asarray(present & ((luck < 0.5) | (luck == luck.min(axis=1, keepdims=True))))
