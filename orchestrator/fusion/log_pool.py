"""Calibrated log-opinion pool: a weighted product of opinions that counts shared evidence once."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from doubleread.core.types import Labels, Matrix, Tensor3, Vector
from doubleread.orchestrator.fusion.fusion_rule import PanelRecord, PanelRule, Present, effective, logs_of
from doubleread.orchestrator.simplex import log_softmax_rows, softmax, spoken

SPREAD = 0.7
"""Prior standard deviation of an agent's log weight around the equal weight."""
RHO_SPREAD = 1.5
"""The same for the log odds of rho around rho = 1/2."""


class LogPoolRecord(PanelRecord):
    """Fitted weights."""

    weights: tuple[float, ...]
    """Relative weight of each agent, summing to 1."""
    rho: float
    """Dependence of the agents, 0 to 1; see ``fusion_rule.effective``."""


class LogPool(PanelRule[LogPoolRecord]):
    """``log posterior = log shares + sum_a w_a (log p_a - log shares)``, with the label shares.

    With relative weights v_a, agents present on a case get ``w_a = m_eff v_a / sum of the present v``, where m_eff is
    the effective number of independent opinions among them. So a single agent keeps its full weight, and copies of one
    agent count as one. v and rho are fitted by maximum a posteriori, v shrunk towards equal weights.
    Source: Genest and Zidek 1986 (logarithmic opinion pools); the dependence model is our addition.
    """

    kind = "log-pool"
    record_type = LogPoolRecord

    def _learn(self, opinions: Tensor3, labels: Labels, panel: PanelRecord) -> LogPoolRecord:
        present, heard = spoken(opinions), np.array(panel.heard)
        logs = logs_of(opinions, present, panel.seen)
        base = np.log(panel.seen)
        full = np.zeros(len(heard))

        spread = np.append(np.full(int(heard.sum()), SPREAD), RHO_SPREAD)
        truth, m = np.eye(opinions.shape[2])[labels], present.sum(axis=1)

        def objective(theta: Vector) -> tuple[float, Vector]:
            full[heard] = theta[:-1]
            rho = float(expit(theta[-1]))
            weights = _case_weights(softmax(np.where(heard, full, -np.inf)), rho, present)
            log_p = log_softmax_rows(base + np.einsum("na,nak->nk", weights, logs))
            by_weight = np.einsum("nk,nak->na", panel.case_weight * (np.exp(log_p) - truth), logs)
            pull = (by_weight * weights).sum(axis=1)  # of all weights together, which rho scales
            share = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
            by_theta = (by_weight * weights - share * pull[:, None]).sum(axis=0)[heard]
            by_rho = -(pull * np.maximum(m - 1, 0) / (1 + np.maximum(m - 1, 0) * rho)).sum() * rho * (1 - rho)
            gradient = np.append(by_theta, by_rho) + theta / spread**2
            return float(0.5 * ((theta / spread) ** 2).sum() - panel.case_weight * (log_p * truth).sum()), gradient

        best = minimize(objective, np.zeros(len(spread)), jac=True, method="L-BFGS-B").x
        full[heard] = best[:-1]
        weights = softmax(np.where(heard, full, -np.inf))
        return LogPoolRecord(weights=tuple(weights.tolist()), rho=float(expit(best[-1])), **panel.model_dump())

    def _pool(self, opinions: Tensor3, present: Present) -> Matrix:
        fitted = self.fitted
        weights = _case_weights(np.array(fitted.weights), fitted.rho, present)
        logs = logs_of(opinions, present, fitted.seen)
        return np.asarray(np.log(fitted.seen) + np.einsum("na,nak->nk", weights, logs))


def _case_weights(relative: Vector, rho: float, present: Present) -> Matrix:
    """Weights of the agents present on each case, shape ``(n, agents)``."""
    kept = np.where(present, relative, 0.0)
    total = np.maximum(kept.sum(axis=1, keepdims=True), 1e-300)
    return np.asarray(kept / total * effective(present.sum(axis=1), rho)[:, None])
