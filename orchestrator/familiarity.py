"""Is this image anything the panel has been trusted on?

Two signs speak against it: it lies far from every stored case, and the agents, each by its own standards, are in
unusual doubt. Far images show by distance, near ones (an unknown label among known ones) by both. The measure of
"unusual" is the held-out cases themselves.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.special import entr

from doubleread.core.base import Record
from doubleread.core.evidence import Evidence
from doubleread.core.types import Matrix, Tensor3, Vector
from doubleread.core.verdict import Unfamiliarity
from doubleread.orchestrator.normal_scores import normal_scores, open_ended_scores

ALARM_RATE = 0.02
"""Share of familiar cases that may raise an alarm: it costs as many needless referrals."""


def cases_needed(alarm_rate: float) -> int:
    """Fewest held-out cases that can promise ``alarm_rate``: 49 for 2 %, 99 for 1 %."""
    return int(np.ceil(1 / alarm_rate - 1 - 1e-9))


class Familiarity(Record):
    """The signs of the held-out cases, against which a new case is judged.

    A new case joins them, all are scored alike, and the share that scores at least as high is its p-value (full
    conformal prediction, Vovk, Gammerman and Shafer 2005, section 2.2). So a case exchangeable with the held-out ones,
    on which no agent was fitted, raises an alarm with probability ``alarm_rate`` at most, however the score is made.
    """

    alarm_rate: float
    nearness: tuple[float | None, ...]
    """Of each held-out case to the stored ones; None without evidence."""
    doubt: tuple[tuple[float | None, ...], ...]
    """Entropy in nats of every agent's uncalibrated opinion on each held-out case; None where it abstained."""
    note: str = ""

    @classmethod
    def fit(cls, nearness: Vector, opinions: Tensor3, alarm_rate: float = ALARM_RATE) -> Self:
        """From held-out cases: ``nearness`` ``(n,)`` and uncalibrated opinions ``(n, agents, k)``; NaN is absent."""
        n, needed = len(nearness), cases_needed(alarm_rate)
        note = (
            f"no alarm for unfamiliar images: {n} held-out cases cannot promise that at most {alarm_rate:.0%} of "
            f"familiar ones raise it ({needed} are needed)"
        )
        return cls(
            alarm_rate=alarm_rate,
            nearness=tuple(_or_none(nearness)),
            doubt=tuple(tuple(_or_none(row)) for row in doubts(opinions)),
            note=note if n < needed else "",
        )

    def judge(self, evidence: Evidence | None, opinions: Matrix) -> Unfamiliarity | None:
        """How unfamiliar a case is, from its evidence and its first opinions, uncalibrated, ``(agents, k)``.

        Held-out cases are judged by the same signs that this case has. None where it has no sign at all, or there is
        no held-out case to compare it with.
        """
        doubt, near = doubts(opinions[None])[0], nearness_of(evidence)
        spoke = ~np.isnan(doubt)
        if not self.nearness or (np.isnan(near) and not spoke.any()):
            return None
        far = open_ended_scores(-np.append(_or_nan(self.nearness), near)) if not np.isnan(near) else None
        unsure = _doubt_scores(np.vstack([_or_nan(self.doubt), doubt])[:, spoke]) if spoke.any() else None
        return self._judged(far, unsure, evidence)

    def _judged(self, far: Vector | None, unsure: Vector | None, evidence: Evidence | None) -> Unfamiliarity:
        """From the scores of all cases, the new one's last."""
        scores = np.sum([s for s in (far, unsure) if s is not None], axis=0)
        n = len(self.nearness)
        allowed = int(np.floor(self.alarm_rate * (n + 1) + 1e-9))
        threshold = float(np.sort(scores[:-1])[-allowed]) if allowed else None
        score = float(scores[-1])
        judged = Unfamiliarity(
            score=score,
            threshold=threshold,
            p_value=float(np.mean(scores >= score)),
            n=n,
            distance_z=None if far is None else float(far[-1]),
            doubt_z=None if unsure is None else float(unsure[-1]),
            alarm=threshold is not None and score > threshold,
        )
        return judged.model_copy(update={"reason": _reason(judged, evidence, self.alarm_rate)})


def nearness_of(evidence: Evidence | None) -> float:
    """How near the stored cases are to a case, hub-corrected where retrieval says so; NaN without evidence."""
    if evidence is None or evidence.quality is None:
        return float("nan")
    quality = evidence.quality
    return quality.similarity if quality.nearness is None else quality.nearness


def doubts(opinions: Tensor3) -> Matrix:
    """Entropy in nats of opinions ``(n, agents, k)``, shape ``(n, agents)``; NaN where an agent gave none."""
    return np.asarray(entr(opinions).sum(axis=2))


def _doubt_scores(doubt: Matrix) -> Vector:
    """The agents' mean doubt, each measured against its own, shape ``(n,)``; an absent one says nothing."""
    own = np.stack([normal_scores(column) for column in doubt.T], axis=1)
    spoke = ~np.isnan(doubt)
    return normal_scores((own * spoke).sum(axis=1) / np.maximum(spoke.sum(axis=1), 1))


def _reason(judged: Unfamiliarity, evidence: Evidence | None, alarm_rate: float) -> str:
    signs = []
    if judged.distance_z is not None and evidence is not None and evidence.quality is not None:
        signs.append(f"nearest case {evidence.quality.similarity:.2f} (distance z {judged.distance_z:.1f})")
    if judged.doubt_z is not None:
        signs.append(f"agents' doubt z {judged.doubt_z:.1f}")
    if judged.alarm:
        rarity = f"beyond the {judged.threshold:.1f} that at most {alarm_rate:.0%} of familiar cases pass"
        return f"unlike what the panel was trusted on: {', '.join(signs)}; together {judged.score:.1f}, {rarity}"
    return f"at least as unusual are {judged.p_value:.0%} of the cases it was trusted on: {', '.join(signs)}"


def _or_none(values: Vector) -> list[float | None]:
    return [None if np.isnan(v) else float(v) for v in values]


def _or_nan(values: Sequence[object]) -> Matrix:
    """``values`` as an array, NaN for None."""
    return np.array(values, dtype=float)
