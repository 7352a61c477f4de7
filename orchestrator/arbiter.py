"""The arbiter: the third reader, who knows how far each agent can be trusted and decides.

It sees opinions and evidence, never the image. The second look does not replace the first: either all answers of both
rounds are fused at once, or each round is and the verdict is their geometric mean; the calibration cases say which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

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
from doubleread.orchestrator.learning import Learned
from doubleread.orchestrator.policy import Policy, decide, reasons_to_ask, refer_instead
from doubleread.orchestrator.selective_risk import SelectiveRisk
from doubleread.orchestrator.simplex import normalised, softmax
from doubleread.orchestrator.trust import track

Pooling = Literal["answers", "rounds"]
"""``answers``: those of both rounds are fused at once; ``rounds``: each round is, then their geometric mean counts."""


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
class SecondLook:
    """How the answers of a second look are fused with those of the first; see ``Pooling``."""

    pooling: Pooling
    learned: Learned


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
        can_look_again: bool,
        asked_all: bool = False,
    ) -> Assessment:
        """Fuses what was said up to ``round_`` (``first``: in round one; ``last``: most lately) and decides.

        With ``can_look_again`` the action may be ``ask-more`` (unless ``asked_all``) or ``second-look`` instead of a
        decision. An image unlike anything the panel was trusted on is referred in the end, whatever is said of it.
        """
        fused = self._fuse(first, last, round_)
        if fused is None:
            return self._nobody_spoke()
        unfamiliar = self.familiarity.judge(evidence, self._raw(first))
        posterior, names = fused.posterior, self.task.names
        further = self._further(first, round_, fused, evidence, asked_all) if can_look_again else None
        decision = further or self._decide(posterior, unfamiliar)
        return Assessment(
            posterior=dict(zip(names, posterior.tolist(), strict=True)),
            decision=decision,
            weights=fused.weights,
            calibrated=fused.calibrated,
            prediction_set=tuple(names[k] for k in self.sets.predict(posterior[None])[0]),
            coverage=self.sets.coverage,
            track=track(float(posterior.max()), self.held_out.confidence, self.held_out.correct),
            familiarity=unfamiliar,
            warnings=self._warnings(last, unfamiliar),
        )

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

    def _further(
        self, first: Mapping[str, Answer], round_: int, fused: "_Fused", evidence: Evidence | None, asked_all: bool
    ) -> Decision | None:
        """Asking on, where that is worth its price."""
        votes = {name: max(p, key=lambda label: p[label]) for name, p in fused.calibrated.items()}
        if not asked_all and self.spared(first):
            gate, what = self.policy.asking, "asking the models"
            reasons = reasons_to_ask(gate, what, self.task, fused.posterior, votes, evidence)
            if reasons:
                return Decision(action="ask-more", reasons=reasons)
        if self.second is None or round_ >= self.policy.max_rounds or not any(map(self.looks_again, first)):
            return None
        gate, what = self.policy.looking, "a second look"
        reasons = reasons_to_ask(gate, what, self.task, fused.posterior, votes, evidence)
        return Decision(action="second-look", reasons=reasons) if reasons else None

    def _decide(self, posterior: Vector, unfamiliar: Unfamiliarity | None) -> Decision:
        decision = decide(self.task, posterior)
        if self.selective is not None and not self.selective.commits(posterior.max(keepdims=True))[0]:
            decision = refer_instead(self.task, decision, _not_promised(self.selective))
        if unfamiliar is not None and unfamiliar.alarm:
            decision = refer_instead(self.task, decision, unfamiliar.reason)
        return decision

    def _fuse(self, first: Mapping[str, Answer], last: Mapping[str, Answer], round_: int) -> "_Fused | None":
        """The posterior of everything said; None where none of it can be used."""
        learned = self.local if self.local is not None and self._nothing_paid(first) else self.first
        looked = self.second if round_ > 1 else None
        if looked is not None and looked.pooling == "answers":
            again = {name: answer for name, answer in last.items() if answer.round > 1}
            return self._round(looked.learned, first, again)
        latest = {**first, **{name: answer for name, answer in last.items() if isinstance(answer, Opinion)}}
        rounds = [self._round(learned, first), self._round(looked.learned, latest) if looked is not None else None]
        spoken = [found for found in rounds if found is not None]
        if not spoken:
            return None
        return _Fused(
            combine([found.posterior[None] for found in spoken])[0],
            {name: float(np.mean([f.weights.get(name, 0.0) for f in spoken])) for f in spoken for name in f.weights},
            {name: p for found in spoken for name, p in found.calibrated.items()},
        )

    def _round(self, learned: Learned, *said: Mapping[str, Answer]) -> "_Fused | None":
        """Answers, calibrated and fused, slot by slot: each of ``said`` fills one slot an agent."""
        raw = np.concatenate([self._raw(answers) for answers in said])[None]
        slots = self.agents * len(said)
        calibrated = learned.calibrate(raw)
        if np.isnan(calibrated).all():
            return None
        fused, names = learned.rule.fuse(calibrated), self.task.names
        spoke = [(n, row) for n, row in zip(slots, calibrated[0], strict=True) if not np.isnan(row).any()]
        weights: dict[str, float] = {}
        for name, share in zip(slots, fused.weights[0].tolist(), strict=True):
            if share > 0:
                weights[name] = weights.get(name, 0.0) + share
        named = {name: dict(zip(names, row.tolist(), strict=True)) for name, row in spoke}
        return _Fused(fused.posterior[0], weights, named)

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
            "second": {"pooling": self.second.pooling, "learned": self.second.learned.dump()} if self.second else None,
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
            second=_second_look(data["second"]) if data["second"] else None,
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


@dataclass(frozen=True)
class _Fused:
    posterior: Vector
    weights: dict[str, float]
    calibrated: dict[str, dict[str, float]]


def _second_look(data: Json) -> SecondLook:
    return SecondLook(pooling=data["pooling"], learned=Learned.load(data["learned"]))


def _not_promised(promise: SelectiveRisk) -> str:
    if promise.threshold is None:
        return f"no commitment can be promised: {promise.note}"
    return (
        f"below {promise.threshold:.1%}, from which on at most {promise.risk:.1%} of commitments are wrong "
        f"({1 - promise.delta:.0%} confidence)"
    )


def combine(rounds: Sequence[Matrix]) -> Matrix:
    """The rounds' posteriors, each ``(cases, labels)``, as one: their normalised geometric mean."""
    return softmax(np.mean([np.log(normalised(posterior)) for posterior in rounds], axis=0))
