"""The arbiter: the third reader, who knows how far each agent can be trusted and decides.

It sees opinions and evidence, never the image.
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
from doubleread.core.verdict import Decision, Track, Unfamiliarity
from doubleread.orchestrator.conformal import ConformalSets
from doubleread.orchestrator.familiarity import Familiarity
from doubleread.orchestrator.gate import Gate
from doubleread.orchestrator.learning import Learned
from doubleread.orchestrator.policy import Policy, decide, reasons_to_ask, refer_instead
from doubleread.orchestrator.rounds import Fused, SecondLook, fuse_both, fuse_round
from doubleread.orchestrator.selective_risk import SelectiveRisk
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
    familiarity: Unfamiliarity | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class HeldOut:
    """How the whole panel scored the calibration cases, each by a fit that had not seen it."""

    posterior: Matrix
    correct: NDArray[np.bool_]

    @property
    def confidence(self) -> Vector:
        """Of the leading label, shape ``(n,)``."""
        return np.asarray(self.posterior.max(axis=1))


@dataclass(frozen=True)
class Arbiter:
    """Fitted trust, fusion, guarantees and policy of one panel on one task.

    ``first`` fuses the first round's opinions, ``local`` those of the agents that cost nothing where the others are
    asked only in doubt, ``second`` those of both rounds; it is None where second looks are off. ``selective`` is None
    where no risk was promised.
    """

    task: Task
    agents: tuple[str, ...]
    first: Learned
    local: Learned | None
    second: SecondLook | None
    policy: Policy
    sets: ConformalSets
    selective: SelectiveRisk | None
    familiarity: Familiarity
    held_out: HeldOut
    profiles: tuple[TrustProfile, ...]
    left_out: tuple[str, ...] = ()
    """Referees that did not lower the held-out log-loss: they are not asked."""
    notes: tuple[str, ...] = ()
    """What fitting had to choose or could not promise."""

    def assess(
        self,
        first: Mapping[str, Answer],
        last: Mapping[str, Answer],
        evidence: Evidence | None,
        *,
        round_: int,
        can_ask_more: bool = False,
        can_look_again: bool = False,
    ) -> Assessment:
        """Fuses what was said up to ``round_`` (``first``: in round one; ``last``: most lately) and decides.

        With ``can_ask_more`` the action may be ``ask-more``, with ``can_look_again`` ``second-look`` instead of a
        decision. An image unlike anything the panel was trusted on is referred in the end, whatever is said of it.
        """
        fused = self._fuse(first, last, round_)
        if fused is None:
            return self._nobody_spoke()
        unfamiliar = self.familiarity.judge(evidence, self._raw(first))
        posterior, names = fused.posterior, self.task.names
        further = self._ask_more(first, fused, evidence) if can_ask_more else None
        further = further or (self._look_again(first, round_, fused, evidence) if can_look_again else None)
        decision = further or self._decide(posterior, unfamiliar)
        return Assessment(
            posterior=dict(zip(names, posterior.tolist(), strict=True)),
            decision=decision,
            weights=fused.weights,
            calibrated={
                name: dict(zip(names, opinion.tolist(), strict=True)) for name, opinion in fused.calibrated.items()
            },
            prediction_set=tuple(names[k] for k in self.sets.predict(posterior[None])[0]),
            coverage=self.sets.coverage,
            track=track(float(posterior.max()), self.held_out.confidence, self.held_out.correct),
            familiarity=unfamiliar,
            warnings=self._warnings(last, unfamiliar),
        )

    def calibrate(self, agent: str, opinions: Sequence[Opinion]) -> Matrix | None:
        """First-look opinions of one agent after calibration, shape ``(len(opinions), n_labels)``.

        None where the agent was never calibrated on such answers.
        """
        if agent not in self.agents or not all(map(self._calibrated_for, opinions)):
            return None
        calibrator = self.first.calibrators[self.agents.index(agent)]
        return None if calibrator is None else calibrator.apply(np.stack([one.vector(self.task) for one in opinions]))

    def spared(self, answers: Mapping[str, Answer]) -> tuple[str, ...]:
        """The agents that cost money and were not asked; empty where everyone is asked at once."""
        gate = self.policy.asking
        return tuple(name for name in gate.agents if name not in answers) if gate is not None else ()

    def _nothing_paid(self, answers: Mapping[str, Answer]) -> bool:
        """Whether none of the agents that cost money was asked."""
        gate = self.policy.asking
        return gate is not None and not any(name in answers for name in gate.agents)

    def looks_again(self, agent: str) -> bool:
        """Whether a second look asks this agent."""
        return self.policy.looking is None or agent in self.policy.looking.agents

    def profile(self, agent: str, round_: int = 1) -> TrustProfile | None:
        """The trust profile of an agent, or of ``panel``; None where it gave nothing to learn from."""
        return next((p for p in self.profiles if p.agent == agent and p.round == round_), None)

    def records(self, answers: Mapping[str, Answer]) -> dict[str, TrustProfile]:
        """The profile of each agent that speaks, in the round it spoke in."""
        found = {name: self.profile(name, min(answer.round, 2)) for name, answer in answers.items()}
        return {name: profile for name, profile in found.items() if profile is not None}

    def _ask_more(self, first: Mapping[str, Answer], fused: Fused, evidence: Evidence | None) -> Decision | None:
        """Asking the agents that were spared, where that is worth its price."""
        if not self.spared(first):
            return None
        reasons = self._reasons(self.policy.asking, "asking the models", fused, evidence)
        return Decision(action="ask-more", reasons=reasons) if reasons else None

    def _look_again(
        self, first: Mapping[str, Answer], round_: int, fused: Fused, evidence: Evidence | None
    ) -> Decision | None:
        """Another round, where that is worth its price."""
        if self.second is None or round_ >= self.policy.max_rounds or not any(map(self.looks_again, first)):
            return None
        reasons = self._reasons(self.policy.looking, "a second look", fused, evidence)
        return Decision(action="second-look", reasons=reasons) if reasons else None

    def _reasons(self, gate: Gate | None, what: str, fused: Fused, evidence: Evidence | None) -> tuple[str, ...]:
        votes = {name: self.task.names[int(opinion.argmax())] for name, opinion in fused.calibrated.items()}
        return reasons_to_ask(gate, what, self.task, fused.posterior, votes, evidence)

    def _decide(self, posterior: Vector, unfamiliar: Unfamiliarity | None) -> Decision:
        decision = decide(self.task, posterior)
        if self.selective is not None and not self.selective.commits(posterior.max(keepdims=True))[0]:
            decision = refer_instead(self.task, decision, _not_promised(self.selective))
        if unfamiliar is not None and unfamiliar.alarm:
            decision = refer_instead(self.task, decision, unfamiliar.reason)
        return decision

    def _fuse(self, first: Mapping[str, Answer], last: Mapping[str, Answer], round_: int) -> Fused | None:
        """The posterior of everything said; None where none of it can be used."""
        learned = self.local if self.local is not None and self._nothing_paid(first) else self.first
        if self.second is None or round_ < 2:
            return fuse_round(learned, self.agents, self._raw(first))
        again = {name: answer for name, answer in last.items() if answer.round > 1}
        return fuse_both(learned, self.second, self.agents, self._raw(first), self._raw(again))

    def _raw(self, answers: Mapping[str, Answer]) -> Matrix:
        """Distributions as they were given, ``(agents, k)``; NaN where there is none that can be calibrated."""
        rows = np.full((len(self.agents), len(self.task.names)), np.nan)
        for i, name in enumerate(self.agents):
            answer = answers.get(name)
            if isinstance(answer, Opinion) and self._calibrated_for(answer):
                rows[i] = answer.vector(self.task)
        return rows

    def _calibrated_for(self, opinion: Opinion) -> bool:
        profile = self.profile(opinion.agent, min(opinion.round, 2))
        return profile is not None and profile.confidence_source == opinion.confidence_source

    def _warnings(self, answers: Mapping[str, Answer], unfamiliar: Unfamiliarity | None) -> tuple[str, ...]:
        missing = [n for n, a in answers.items() if not isinstance(a, Opinion) and self.profile(n) is not None]
        unusable = [n for n, a in answers.items() if isinstance(a, Opinion) and not self._calibrated_for(a)]
        notes = [f"degraded panel: {', '.join(missing)} gave no opinion"] if missing else []
        if unusable:
            notes.append(f"left out, never calibrated on such answers: {', '.join(unusable)}")
        if unfamiliar is not None and unfamiliar.alarm:
            notes.append(unfamiliar.reason)
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
            "local": self.local.dump() if self.local else None,
            "second": self.second.dump() if self.second else None,
            "policy": self.policy.model_dump(mode="json"),
            "sets": self.sets.model_dump(mode="json"),
            "selective": self.selective.model_dump(mode="json") if self.selective else None,
            "familiarity": self.familiarity.model_dump(mode="json"),
            "held_out": {
                "posterior": self.held_out.posterior.tolist(),
                "correct": self.held_out.correct.tolist(),
            },
            "left_out": list(self.left_out),
            "notes": list(self.notes),
        }

    @classmethod
    def load(cls, data: Json, profiles: Sequence[TrustProfile]) -> "Arbiter":
        """The arbiter of ``dump`` and its trust profiles."""
        return cls(
            task=Task.model_validate(data["task"]),
            agents=tuple(data["agents"]),
            first=Learned.load(data["first"]),
            local=Learned.load(data["local"]) if data["local"] else None,
            second=SecondLook.load(data["second"]) if data["second"] else None,
            policy=Policy.model_validate(data["policy"]),
            sets=ConformalSets.model_validate(data["sets"]),
            selective=SelectiveRisk.model_validate(data["selective"]) if data["selective"] else None,
            familiarity=Familiarity.model_validate(data["familiarity"]),
            held_out=HeldOut(
                posterior=np.array(data["held_out"]["posterior"], dtype=float),
                correct=np.array(data["held_out"]["correct"], dtype=bool),
            ),
            profiles=tuple(profiles),
            left_out=tuple(data["left_out"]),
            notes=tuple(data["notes"]),
        )


def _not_promised(promise: SelectiveRisk) -> str:
    if promise.threshold is None:
        return f"no commitment can be promised: {promise.note}"
    return (
        f"below {promise.threshold:.1%}, from which on at most {promise.risk:.1%} of commitments are wrong "
        f"({1 - promise.delta:.0%} confidence)"
    )
