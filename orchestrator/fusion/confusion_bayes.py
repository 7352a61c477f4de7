"""Bayesian fusion of the agents' labels by confusion matrices, with binned confidence."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from doubleread.core.base import Record
from doubleread.core.types import Labels, Matrix, Tensor3
from doubleread.orchestrator.fusion.fusion_rule import PanelRecord, PanelRule, Present, effective
from doubleread.orchestrator.simplex import log_loss, spoken

BINS = 3
STRENGTHS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Candidate numbers of pseudo-cases per label."""
RHOS = tuple(np.linspace(0.05, 0.95, 19).tolist())
"""Candidate dependences."""
RHO_SPREAD = 1.5
"""Prior standard deviation of the log odds of rho around rho = 1/2."""


class AgentCounts(Record):
    """Counts of one agent's answers on the labelled cases."""

    confusion: tuple[tuple[float, ...], ...]
    """Counts, ``[true][said]``."""
    edges: tuple[float, ...]
    """Inner edges of the confidence bins."""
    surety: tuple[tuple[float, ...], tuple[float, ...]]
    """Counts per confidence bin, for wrong and for right answers."""


class ConfusionRecord(PanelRecord):
    """Counts of all agents, with the smoothing and dependence of least leave-one-out loss."""

    agents: tuple[AgentCounts, ...]
    strength: float
    rho: float


class BinnedVotes(NamedTuple):
    """One agent's label and confidence bin for each case, shapes ``(n,)``."""

    label: NDArray[np.int64]
    bin: NDArray[np.int64]


class ConfusionBayes(PanelRule[ConfusionRecord]):
    """``log P(said, bin | true) = log P(said | true) + log P(bin | right or wrong)``, summed over agents.

    Confusion rows are smoothed by pseudo-cases spread by the agent's overall accuracy (the one-coin model). The sum is
    multiplied by m_eff / m, where m_eff is the effective number of independent opinions. The number of pseudo-cases and
    the dependence minimise the leave-one-out log-loss, with a weak prior on the dependence: without joint errors of two
    agents, zero would fit best.
    Source: Dawid and Skene 1979, with known labels; Kim and Ghahramani 2012 for the dependence problem.
    """

    kind = "confusion-bayes"
    record_type = ConfusionRecord

    def _learn(self, opinions: Tensor3, labels: Labels, panel: PanelRecord) -> ConfusionRecord:
        present, base = spoken(opinions), np.log(panel.seen)
        agents = tuple(_count(opinions[:, a], present[:, a], labels) for a in range(opinions.shape[1]))
        best = (float("inf"), STRENGTHS[0], 1.0)
        for strength in STRENGTHS:
            evidence = _evidence(agents, opinions, present, strength, labels).sum(axis=1)
            for rho in RHOS:
                loss = log_loss(base + _scale(present, rho) * evidence, labels) + 0.5 * (logit(rho) / RHO_SPREAD) ** 2
                best = min(best, (float(loss), strength, rho))
        return ConfusionRecord(agents=agents, strength=best[1], rho=best[2], **panel.model_dump())

    def _pool(self, opinions: Tensor3, present: Present) -> Matrix:
        fitted = self.fitted
        evidence = _evidence(fitted.agents, opinions, present, fitted.strength)
        return np.asarray(np.log(fitted.seen) + _scale(present, fitted.rho) * evidence.sum(axis=1))


def _scale(present: Present, rho: float) -> Matrix:
    m = present.sum(axis=1)
    return np.asarray((effective(m, rho) / np.maximum(m, 1))[:, None])


def _said(P: Matrix, edges: tuple[float, ...]) -> BinnedVotes:
    return BinnedVotes(P.argmax(axis=1), np.searchsorted(edges, P.max(axis=1), side="left"))


def _count(P: Matrix, present: NDArray[np.bool_], labels: Labels) -> AgentCounts:
    P, y, k = P[present], labels[present], P.shape[1]
    cuts = np.unique(np.quantile(P.max(axis=1), np.arange(1, BINS) / BINS)) if len(P) else np.array([])
    edges = tuple(cuts.tolist())
    said = _said(P, edges) if len(P) else BinnedVotes(np.zeros(0, np.int64), np.zeros(0, np.int64))
    confusion, surety = np.zeros((k, k)), np.zeros((2, len(edges) + 1))
    np.add.at(confusion, (y, said.label), 1)
    np.add.at(surety, ((said.label == y).astype(int), said.bin), 1)
    wrong, right = surety.tolist()
    return AgentCounts(
        confusion=tuple(tuple(row) for row in confusion.tolist()), edges=edges, surety=(tuple(wrong), tuple(right))
    )


def _evidence(
    agents: tuple[AgentCounts, ...], opinions: Tensor3, present: Present, strength: float, labels: Labels | None = None
) -> Tensor3:
    """Log likelihoods ``(n, agents, k)``, 0 without an opinion; with ``labels``, leave-one-out counts."""
    evidence = np.zeros(opinions.shape)
    for a, counts in enumerate(agents):
        here = present[:, a]
        if here.any():
            left_out = None if labels is None else labels[here]
            evidence[here, a] = _likelihood(counts, _said(opinions[here, a], counts.edges), strength, left_out)
    return evidence


def _likelihood(counts: AgentCounts, said: BinnedVotes, strength: float, left_out: Labels | None) -> Matrix:
    """``log P(said, bin | true)`` for every true label, shape ``(n, k)``."""
    confusion, surety = np.array(counts.confusion), np.array(counts.surety)
    k, rows = len(confusion), np.arange(len(said.label))
    accuracy = (np.trace(confusion) + 1) / (confusion.sum() + 2)
    coin = np.where(np.eye(k, dtype=bool), accuracy, (1 - accuracy) / (k - 1))
    numerator = confusion[:, said.label].T + strength * coin[:, said.label].T
    denominator = np.tile(confusion.sum(axis=1) + strength, (len(rows), 1))
    right = (said.label[:, None] == np.arange(k)).astype(int)
    sure = surety[right, said.bin[:, None]] + 1.0
    total = surety.sum(axis=1)[right] + surety.shape[1]
    if left_out is not None:
        numerator[rows, left_out] -= 1
        denominator[rows, left_out] -= 1
        same = right == right[rows, left_out][:, None]
        sure, total = sure - same, total - same
    return np.asarray(np.log(numerator) - np.log(denominator) + np.log(sure) - np.log(total))
