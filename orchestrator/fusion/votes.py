"""Voting rules: baselines fitted at most to each agent's calibration error.

An agent votes for its leading label. The panel's mean opinion distributes half a vote: it breaks ties, keeps
probabilities above 0, and cannot overturn a majority. Votes are not corrected for the prior.
"""

import numpy as np

from doubleread.core.types import Labels, Matrix, Tensor3, Vector
from doubleread.orchestrator.fusion.fusion_rule import PanelRecord, PanelRule, Present
from doubleread.orchestrator.metrics import confidences, correctness, ece

HALF = 0.5
ECE_BINS = 10


class VoteRecord(PanelRecord):
    """One factor per agent."""

    factors: tuple[float, ...]


class _Votes(PanelRule[VoteRecord]):
    record_type = VoteRecord

    def _learn(self, opinions: Tensor3, labels: Labels, panel: PanelRecord) -> VoteRecord:
        factors = self._factors(opinions, labels)
        return VoteRecord(**{**panel.model_dump(), "seen": panel.prior, "doubt": 0.0}, factors=tuple(factors.tolist()))

    def _pool(self, opinions: Tensor3, present: Present) -> Matrix:
        known = np.where(present[..., None], opinions, 0.0)
        strength = np.where(present, self._strength(known.max(axis=2)) * np.array(self.fitted.factors), 0.0)
        ballots = np.eye(opinions.shape[2])[known.argmax(axis=2)]
        tally = np.einsum("na,nak->nk", strength, ballots)
        heads = np.maximum(present.sum(axis=1), 1)[:, None]
        smallest = np.where(strength > 0, strength, np.inf).min(axis=1, initial=1.0)[:, None]
        return np.asarray(np.log(tally + HALF * smallest * known.sum(axis=1) / heads + 1e-9))

    def _factors(self, opinions: Tensor3, labels: Labels) -> Vector:  # noqa: ARG002 - weighted rules use the labels
        return np.ones(opinions.shape[1])

    def _strength(self, confidence: Matrix) -> Matrix:
        return confidence


class Majority(_Votes):
    """Each agent has one vote."""

    kind = "majority"

    def _strength(self, confidence: Matrix) -> Matrix:
        return np.ones_like(confidence)


class ConfidenceWeighted(_Votes):
    """Votes are weighted by the agent's confidence."""

    kind = "confidence-weighted"


class EceWeighted(_Votes):
    """Votes are weighted by confidence times (1 - ECE of the agent) (arXiv 2507.10571, section 3)."""

    kind = "ece-weighted"

    def _factors(self, opinions: Tensor3, labels: Labels) -> Vector:
        return np.array([1.0 - _ece(opinions[:, agent], labels) for agent in range(opinions.shape[1])])


def _ece(P: Matrix, y: Labels) -> float:
    kept = ~np.isnan(P).any(axis=1)
    return ece(confidences(P[kept]), correctness(P[kept], y[kept]), ECE_BINS) if kept.any() else 1.0
