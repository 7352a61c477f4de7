"""The arbiter: the third reader, who knows how far each agent can be trusted and decides.

It sees opinions and evidence, never the image. The second look does not replace the first: both rounds' opinions
enter the fusion, each calibrated on its own, so that the second answer never decides alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer, Opinion
from doubleread.core.task import Task
from doubleread.core.trust import TrustProfile
from doubleread.core.types import Json, Tensor3, Vector
from doubleread.core.verdict import Decision, Track
from doubleread.orchestrator.conformal import ConformalSets
from doubleread.orchestrator.learning import Learned
from doubleread.orchestrator.policy import Policy, decide, second_look_reasons
from doubleread.orchestrator.trust import track


class Assessment(Record):
    """What one round comes to."""

    posterior: dict[str, float]
    decision: Decision
    weights: dict[str, float]
    calibrated: dict[str, dict[str, float]]
    prediction_set: tuple[str, ...]
    coverage: float | None = None
    track: Track | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeldOut:
    """How the whole panel scored the calibration cases, each by a fit that had not seen it."""

    confidence: Vector
    correct: NDArray[np.bool_]


@dataclass(frozen=True)
class Arbiter:
    """Fitted trust, fusion, guarantees and policy of one panel on one task.

    ``first`` fuses the opinions of the first round, shape ``(n, agents, labels)``; ``both`` those of the first and
    the second, ``(n, 2 × agents, labels)``.
    """

    task: Task
    agents: tuple[str, ...]
    first: Learned
    both: Learned | None
    policy: Policy
    sets: ConformalSets
    held_out: HeldOut
    profiles: tuple[TrustProfile, ...]

    def assess(
        self,
        first: Mapping[str, Answer],
        last: Mapping[str, Answer],
        evidence: Evidence | None,
        *,
        round_: int,
        can_look_again: bool,
    ) -> Assessment:
        """Fuses what was said up to ``round_`` (``first``: in round one; ``last``: most lately) and decides."""
        learned, raw = self._inputs(first, last, round_)
        if np.isnan(raw).all():
            return self._nobody_spoke()
        fused, calibrated = learned.fuse(raw), learned.calibrate(raw)[0]
        posterior = fused.posterior[0]
        weights = self._per_agent(fused.weights[0])
        last_calibrated = self._last_calibrated(calibrated)
        votes = {name: max(p, key=lambda label: p[label]) for name, p in last_calibrated.items()}
        reasons: tuple[str, ...] = ()
        if can_look_again and self.both is not None and round_ < self.policy.max_rounds:
            reasons = second_look_reasons(self.task, posterior, votes, weights, evidence, self.policy)
        decision = Decision(action="second-look", reasons=reasons) if reasons else decide(self.task, posterior)
        names = self.task.names
        return Assessment(
            posterior=dict(zip(names, posterior.tolist(), strict=True)),
            decision=decision,
            weights=weights,
            calibrated=last_calibrated,
            prediction_set=tuple(names[k] for k in self.sets.predict(fused.posterior)[0]),
            coverage=self.sets.coverage,
            track=track(float(posterior.max()), self.held_out.confidence, self.held_out.correct),
            warnings=self._warnings(last),
        )

    def profile(self, agent: str, round_: int = 1) -> TrustProfile | None:
        """The trust profile of an agent, or of ``panel``; None where it gave nothing to learn from."""
        return next((p for p in self.profiles if p.agent == agent and p.round == round_), None)

    def _inputs(self, first: Mapping[str, Answer], last: Mapping[str, Answer], round_: int) -> tuple[Learned, Tensor3]:
        opening = self._rows(first, 1)
        if round_ == 1 or self.both is None:
            return self.first, opening[None]
        return self.both, np.concatenate([opening, self._rows(last, round_)])[None]

    def _rows(self, answers: Mapping[str, Answer], round_: int) -> Tensor3:
        """Raw distributions ``(agents, labels)`` given in that round; NaN where none can be used."""
        rows = np.full((len(self.agents), len(self.task.names)), np.nan)
        for i, name in enumerate(self.agents):
            answer = answers.get(name)
            if isinstance(answer, Opinion) and answer.round == round_ and self._calibrated_for(answer):
                rows[i] = answer.vector(self.task)
        return rows

    def _calibrated_for(self, opinion: Opinion) -> bool:
        profile = self.profile(opinion.agent, min(opinion.round, 2))
        return profile is not None and profile.confidence_source == opinion.confidence_source

    def _per_agent(self, weights: Vector) -> dict[str, float]:
        """An agent's share over both rounds."""
        shares = weights.reshape(-1, len(self.agents)).sum(axis=0)
        return {name: float(share) for name, share in zip(self.agents, shares, strict=True) if share > 0}

    def _last_calibrated(self, calibrated: Tensor3) -> dict[str, dict[str, float]]:
        """Each agent's latest usable opinion, calibrated."""
        latest: dict[str, dict[str, float]] = {}
        for name, row in zip(self.agents * (len(calibrated) // len(self.agents)), calibrated, strict=True):
            if not np.isnan(row).any():
                latest[name] = dict(zip(self.task.names, row.tolist(), strict=True))
        return latest

    def _warnings(self, answers: Mapping[str, Answer]) -> tuple[str, ...]:
        missing = [n for n, a in answers.items() if not isinstance(a, Opinion)]
        unusable = [n for n, a in answers.items() if isinstance(a, Opinion) and not self._calibrated_for(a)]
        notes = [f"degraded panel: {', '.join(missing)} gave no opinion"] if missing else []
        if unusable:
            notes.append(f"left out, never calibrated on such answers: {', '.join(unusable)}")
        return tuple(notes)

    def _nobody_spoke(self) -> Assessment:
        decision = Decision(
            action="refer", reasons=("no agent gave a usable opinion",), expected_cost=self.task.costs.referral
        )
        return Assessment(
            posterior={},
            decision=decision,
            weights={},
            calibrated={},
            prediction_set=self.task.names,
            warnings=("no agent gave a usable opinion",),
        )

    def dump(self) -> Json:
        """Everything but the profiles, as a JSON object."""
        return {
            "task": self.task.model_dump(mode="json"),
            "agents": list(self.agents),
            "first": self.first.dump(),
            "both": self.both.dump() if self.both else None,
            "policy": self.policy.model_dump(mode="json"),
            "sets": self.sets.model_dump(mode="json"),
            "held_out": {
                "confidence": self.held_out.confidence.tolist(),
                "correct": self.held_out.correct.tolist(),
            },
        }

    @classmethod
    def load(cls, data: Json, profiles: Sequence[TrustProfile]) -> "Arbiter":
        """The arbiter of ``dump`` and its trust profiles."""
        return cls(
            task=Task.model_validate(data["task"]),
            agents=tuple(data["agents"]),
            first=Learned.load(data["first"]),
            both=Learned.load(data["both"]) if data["both"] else None,
            policy=Policy.model_validate(data["policy"]),
            sets=ConformalSets.model_validate(data["sets"]),
            held_out=HeldOut(
                confidence=np.array(data["held_out"]["confidence"], dtype=float),
                correct=np.array(data["held_out"]["correct"], dtype=bool),
            ),
            profiles=tuple(profiles),
        )
