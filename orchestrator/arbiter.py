"""The arbiter: the third reader, who knows how far each agent can be trusted and decides.

It sees opinions and evidence, never the image. The second look does not replace the first: each round is calibrated
and fused on its own, and the verdict is their geometric mean, so that the second answer never decides alone.
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
from doubleread.core.types import Json, Matrix, Vector
from doubleread.core.verdict import Decision, Track
from doubleread.orchestrator.conformal import ConformalSets
from doubleread.orchestrator.learning import Learned
from doubleread.orchestrator.policy import Policy, decide, second_look_reasons
from doubleread.orchestrator.simplex import normalised, softmax
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

    ``first`` fuses the first round's opinions, ``second`` each agent's latest ones after a second look; it is None
    where second looks are off.
    """

    task: Task
    agents: tuple[str, ...]
    first: Learned
    second: Learned | None
    policy: Policy
    sets: ConformalSets
    held_out: HeldOut
    profiles: tuple[TrustProfile, ...]
    left_out: tuple[str, ...] = ()
    """Referees that did not lower the held-out log-loss: they are not asked."""

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
        rounds = [self._round(self.first, first)]
        if round_ > 1 and self.second is not None:
            rounds.append(self._round(self.second, last))
        spoken = [r for r in rounds if r is not None]
        if not spoken:
            return self._nobody_spoke()
        posterior = combine([r.posterior[None] for r in spoken])[0]
        weights = self._named_weights(np.mean([r.weights for r in spoken], axis=0))
        calibrated = {name: p for r in spoken for name, p in r.calibrated.items()}
        votes = {name: max(p, key=lambda label: p[label]) for name, p in calibrated.items()}
        reasons: tuple[str, ...] = ()
        if can_look_again and self.second is not None and round_ < self.policy.max_rounds:
            reasons = second_look_reasons(self.task, posterior, votes, weights, evidence, self.policy)
        decision = Decision(action="second-look", reasons=reasons) if reasons else decide(self.task, posterior)
        names = self.task.names
        return Assessment(
            posterior=dict(zip(names, posterior.tolist(), strict=True)),
            decision=decision,
            weights=weights,
            calibrated=calibrated,
            prediction_set=tuple(names[k] for k in self.sets.predict(posterior[None])[0]),
            coverage=self.sets.coverage,
            track=track(float(posterior.max()), self.held_out.confidence, self.held_out.correct),
            warnings=self._warnings(last),
        )

    def profile(self, agent: str, round_: int = 1) -> TrustProfile | None:
        """The trust profile of an agent, or of ``panel``; None where it gave nothing to learn from."""
        return next((p for p in self.profiles if p.agent == agent and p.round == round_), None)

    def records(self, answers: Mapping[str, Answer]) -> dict[str, TrustProfile]:
        """The profile of each agent that speaks, in the round it spoke in."""
        found = {name: self.profile(name, min(answer.round, 2)) for name, answer in answers.items()}
        return {name: profile for name, profile in found.items() if profile is not None}

    def _round(self, learned: Learned, answers: Mapping[str, Answer]) -> "_Round | None":
        """One round's answers, calibrated and fused; None where none can be used."""
        rows = np.full((1, len(self.agents), len(self.task.names)), np.nan)
        for i, name in enumerate(self.agents):
            answer = answers.get(name)
            if isinstance(answer, Opinion) and self._calibrated_for(answer):
                rows[0, i] = answer.vector(self.task)
        calibrated = learned.calibrate(rows)
        if np.isnan(calibrated).all():
            return None
        fused, names = learned.rule.fuse(calibrated), self.task.names
        spoke = {n: row for n, row in zip(self.agents, calibrated[0], strict=True) if not np.isnan(row).any()}
        named = {name: dict(zip(names, row.tolist(), strict=True)) for name, row in spoke.items()}
        return _Round(fused.posterior[0], fused.weights[0], named)

    def _calibrated_for(self, opinion: Opinion) -> bool:
        profile = self.profile(opinion.agent, min(opinion.round, 2))
        return profile is not None and profile.confidence_source == opinion.confidence_source

    def _named_weights(self, weights: Vector) -> dict[str, float]:
        return {name: float(share) for name, share in zip(self.agents, weights, strict=True) if share > 0}

    def _warnings(self, answers: Mapping[str, Answer]) -> tuple[str, ...]:
        missing = [n for n, a in answers.items() if not isinstance(a, Opinion) and self.profile(n) is not None]
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
            "second": self.second.dump() if self.second else None,
            "policy": self.policy.model_dump(mode="json"),
            "sets": self.sets.model_dump(mode="json"),
            "held_out": {
                "confidence": self.held_out.confidence.tolist(),
                "correct": self.held_out.correct.tolist(),
            },
            "left_out": list(self.left_out),
        }

    @classmethod
    def load(cls, data: Json, profiles: Sequence[TrustProfile]) -> "Arbiter":
        """The arbiter of ``dump`` and its trust profiles."""
        return cls(
            task=Task.model_validate(data["task"]),
            agents=tuple(data["agents"]),
            first=Learned.load(data["first"]),
            second=Learned.load(data["second"]) if data["second"] else None,
            policy=Policy.model_validate(data["policy"]),
            sets=ConformalSets.model_validate(data["sets"]),
            held_out=HeldOut(
                confidence=np.array(data["held_out"]["confidence"], dtype=float),
                correct=np.array(data["held_out"]["correct"], dtype=bool),
            ),
            profiles=tuple(profiles),
            left_out=tuple(data["left_out"]),
        )


@dataclass(frozen=True)
class _Round:
    posterior: Vector
    weights: Vector
    calibrated: dict[str, dict[str, float]]


def combine(rounds: Sequence[Matrix]) -> Matrix:
    """The rounds' posteriors, each ``(cases, labels)``, as one: their normalised geometric mean."""
    return softmax(np.mean([np.log(normalised(posterior)) for posterior in rounds], axis=0))
