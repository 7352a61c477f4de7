"""Stacking: ridge multinomial regression on log opinions."""

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
"""Candidate ridge penalties."""
FOLDS = 5
SEED = 0
FLOOR = 1e-3
"""Lower bound of opinions: logs below it reflect the agent's arithmetic more than the case."""
RHO = 0.5
"""Dependence of the agents at the ridge's target."""
FREEDOM = 0.1
"""Factor whose square multiplies the ridge penalty of the intercept."""


class StackingRecord(PanelRecord):
    """Fitted coefficients."""

    coefficients: tuple[tuple[tuple[float, ...], ...], ...]
    """``[agent][said label][label]``: effect of an agent's log opinion on the logit of a label."""
    intercept: tuple[float, ...]
    penalty: float


class Stacking(PanelRule[StackingRecord]):
    """``logits = intercept + m_eff / m * sum_a B_a x_a``, x_a: agent a's log opinion relative to the label shares.

    m_eff is the effective number of opinions of the m agents present, for rho = 1/2 (see ``fusion_rule.effective``).
    The ridge shrinks every B_a towards the identity, which is the equal-weight log-pool; the penalty has the least
    cross-fitted log-loss. An absent agent has x_a = 0. Every training case is repeated with some of its agents removed,
    so that the rule also works with the others alone.
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
    """Log opinions ``full``, and with agents removed, both ``(n, agents * k)`` and a column of ones."""

    full: Matrix
    struck: Matrix
    truth: Matrix
    case_weight: float
    target: Matrix
    """Shrinkage target of the coefficients, ``(agents * k + 1, k)``; the last row is the intercept."""

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
        """Training data of these cases."""
        return type(self)(self.full[index], self.struck[index], self.truth[index], self.case_weight, self.target)

    def regress(self, penalty: float, start: Matrix | None = None) -> Matrix:
        """Fits coefficients and, in the last row, the intercept, shape of ``target``.

        Full rows and rows with agents removed count half each. ``start`` is a warm start.
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
    """The penalty with the least cross-fitted log-loss; the largest if cross-fitting is impossible."""
    try:
        folds = grouped_folds(labels, None, FOLDS, SEED)
    except DataError:
        return PENALTIES[-1]
    losses = np.zeros(len(PENALTIES))
    for train, test in folds:
        part, theta = data.rows(train), data.target
        for i in reversed(range(len(PENALTIES))):  # strongest first, each warm-started from the previous one
            theta = part.regress(PENALTIES[i], theta)
            losses[i] += log_loss(data.full[test] @ theta, labels[test])
    return PENALTIES[int(losses.argmin())]


def _survivors(present: Present) -> Present:
    """Agents left after random removal: at least one per case with any opinion."""
    luck = np.random.default_rng(SEED).random(present.T.shape).T
    luck = np.where(present, luck, np.inf)
    return np.asarray(present & ((luck < 0.5) | (luck == luck.min(axis=1, keepdims=True))))
