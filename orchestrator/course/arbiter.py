"""The arbiter calibrates and fuses opinions by each agent's record, and decides.

It sees opinions and evidence, never the image.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter
from pydantic.dataclasses import dataclass as pydantic_dataclass

from doubleread.core.base import Record
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer, Opinion
from doubleread.core.task import Task
from doubleread.core.trust import TrustProfile
from doubleread.core.types import Json, Matrix, Tensor3, Vector
from doubleread.core.verdict import Action, Decision, Track, Unfamiliarity
from doubleread.orchestrator.arrays import CONFIG, Array, FlagArray
from doubleread.orchestrator.conformal import ConformalSets
from doubleread.orchestrator.conformal.selective_risk import SelectiveRisk
from doubleread.orchestrator.course.policy import Policy, limited, reasons_to_ask, refer_instead
from doubleread.orchestrator.course.rounds import Fusion, SecondLookFusion, replaced
from doubleread.orchestrator.gates.gate import Commitment, Gate
from doubleread.orchestrator.learning.fusion_learning import Learned
from doubleread.orchestrator.learning.subject_pooling import SubjectPooling
from doubleread.orchestrator.ood.familiarity import Familiarity
from doubleread.orchestrator.simplex import spoken
from doubleread.orchestrator.trust.profile import track


class Assessment(Record):
    """Result of one round; see ``Verdict`` for the fields."""

    posterior: dict[str, float] = Field(default_factory=dict)
    leaning: dict[str, float] = Field(default_factory=dict)
    decision: Decision
    influence: dict[str, float] = Field(default_factory=dict)
    calibrated: dict[str, dict[str, float]] = Field(default_factory=dict)
    leanings: dict[str, dict[str, float]] = Field(default_factory=dict)
    prediction_set: tuple[str, ...]
    p_values: dict[str, float] = Field(default_factory=dict)
    coverage: float | None = None
    track: Track | None = None
    familiarity: Unfamiliarity | None = None
    warnings: tuple[str, ...] = ()

    @property
    def scores(self) -> dict[str, float]:
        """The posterior, or ``leaning`` if there is none."""
        return self.posterior or self.leaning


@pydantic_dataclass(frozen=True, config=CONFIG)
class HeldOut:
    """The panel's posteriors on the calibration cases, each from a fit without that case."""

    posterior: Array
    correct: FlagArray

    @property
    def confidence(self) -> Vector:
        """Probability of the leading label, shape ``(n,)``."""
        return np.asarray(self.posterior.max(axis=1))


@dataclass(frozen=True)
class _Heard:
    """Uncalibrated opinions on one case, ``(agents, k)``, NaN if missing; ``again`` holds those of a second look.

    ``missing`` marks agents that were asked and gave nothing usable in either round, ``(agents,)``.
    """

    first: Matrix
    again: Matrix | None
    missing: NDArray[np.bool_]

    def without_each(self) -> tuple[Tensor3, Tensor3 | None]:
        """The case with all agents and, in turn, without each, ``(1 + agents, agents, k)`` per round."""
        struck = np.concatenate([np.zeros((1, len(self.first)), dtype=bool), np.eye(len(self.first), dtype=bool)])
        rounds = [np.where(struck[..., None], np.nan, raw) for raw in (self.first, self.again) if raw is not None]
        return rounds[0], rounds[1] if len(rounds) > 1 else None


@pydantic_dataclass(frozen=True, config=CONFIG)
class Arbiter:
    """Fitted trust, fusion, guarantees and policy of one panel on one task.

    ``first`` fuses the first round's opinions; ``local`` those of the free agents if the others are asked only in
    doubt; ``second`` those of both rounds, and is None without second looks. ``selective`` is None without a risk
    guarantee. ``support`` holds the label shares of the agents' support, ``surest`` those of
    ``rounds.surest_opinions``.
    """

    task: Task
    agents: tuple[str, ...]
    first: Learned
    local: Learned | None
    second: SecondLookFusion | None
    policy: Policy
    sets: ConformalSets
    selective: SelectiveRisk | None
    commitment: Commitment
    familiarity: Familiarity
    surest: Array
    support: tuple[float, ...] | None
    held_out: HeldOut
    profiles: tuple[TrustProfile, ...]
    left_out: tuple[str, ...] = ()
    """Agents and referees that are not asked: no better than chance, or the panel is better without them."""
    first_looks_only: dict[str, str] = Field(default_factory=dict)
    """Agents that answered no second look while fitting, each with the reason; they are never asked for one."""
    notes: tuple[str, ...] = ()
    """Choices made in fitting."""
    warnings: tuple[str, ...] = ()
    """Missing guarantees, and agents that were left out."""
    subjects: SubjectPooling = SubjectPooling()
    """How the posteriors of a subject's images become one."""

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
        """Fuses the answers up to ``round_`` (``first``: of round one; ``last``: the latest) and decides.

        With ``can_ask_more`` the action may be ``ask-more``, with ``can_look_again`` ``second-look``. An image unlike
        the calibration cases is referred at once: no calibrated probability applies to it.
        """
        said, fusion = self._said(first, last, round_), self._fusion(first, round_)
        posteriors = fusion.posterior(*said.without_each())
        if np.isnan(posteriors[0]).any():
            silence = "no agent gave a usable answer"
            return Assessment(decision=self._refer(silence), prediction_set=self.task.names, warnings=(silence,))
        posterior, calibrated = posteriors[0], self._calibrated(fusion, said)
        unfamiliar = self.familiarity.judge(evidence, said.first)
        common: Json = {
            "influence": self._influence(posteriors, calibrated),
            "familiarity": unfamiliar,
            "warnings": self._warnings(last, unfamiliar),
        }
        if unfamiliar is not None and unfamiliar.alarm:
            return Assessment(
                leaning=self._named(posterior),
                leanings=calibrated,
                decision=self._refer(unfamiliar.reason),
                prediction_set=self.task.names,
                **common,
            )
        again = can_look_again and round_ < self.policy.max_rounds and any(map(self.looks_again, first))
        further = self._further(
            [
                ("ask-more", self.policy.asking if can_ask_more and self.spared(first) else None, "asking the models"),
                ("second-look", self.policy.looking if self.second and again else None, "a second look"),
            ],
            posterior,
            calibrated,
            evidence,
        )
        return Assessment(
            posterior=self._named(posterior),
            calibrated=calibrated,
            decision=further or self._decide(posterior, said, fusion),
            prediction_set=tuple(self.task.names[k] for k in self.sets.predict(posterior[None])[0]),
            p_values=self._named(self.sets.p_values(posterior[None])[0]),
            coverage=self.sets.coverage,
            track=track(float(posterior.max()), self.held_out.confidence, self.held_out.correct),
            **common,
        )

    def calibrate(self, agent: str, opinions: Sequence[Opinion]) -> Matrix | None:
        """Calibrates first-look opinions of one agent, shape ``(len(opinions), n_labels)``.

        Returns None if the agent was never calibrated on such answers.
        """
        if agent not in self.agents or not all(map(self._calibrated_for, opinions)):
            return None
        calibrator = self.first.calibrators[self.agents.index(agent)]
        return None if calibrator is None else calibrator.apply(np.stack([one.vector(self.task) for one in opinions]))

    def spared(self, answers: Mapping[str, Answer]) -> tuple[str, ...]:
        """Paid agents that were not asked; empty without a cascade."""
        gate = self.policy.asking
        return tuple(name for name in gate.agents if name not in answers) if gate is not None else ()

    def looks_again(self, agent: str) -> bool:
        """Whether a second look asks this agent."""
        wanted = self.policy.looking is None or agent in self.policy.looking.agents
        return wanted and agent not in self.first_looks_only

    def profile(self, agent: str, round_: int = 1) -> TrustProfile | None:
        """Trust profile of an agent or of ``panel``; None if there is none."""
        return next((p for p in self.profiles if p.agent == agent and p.round == round_), None)

    def records(self, answers: Mapping[str, Answer]) -> dict[str, TrustProfile]:
        """Profile of each agent that answered, for the round of its answer."""
        found = {name: self.profile(name, min(answer.round, 2)) for name, answer in answers.items()}
        return {name: profile for name, profile in found.items() if profile is not None}

    def _further(
        self,
        gates: Sequence[tuple[Action, Gate | None, str]],
        posterior: Vector,
        calibrated: Mapping[str, Mapping[str, float]],
        evidence: Evidence | None,
    ) -> Decision | None:
        """Decision of the first gate that opens, or None."""
        votes = {name: max(opinion, key=lambda label: opinion[label]) for name, opinion in calibrated.items()}
        for action, gate, what in gates:
            if reasons := reasons_to_ask(gate, what, self.task, posterior, votes, evidence):
                return Decision(action=action, reasons=reasons)
        return None

    def _decide(self, posterior: Vector, said: _Heard, fusion: Fusion) -> Decision:
        """Commits if expected cost, limits learned on held-out cases and missing agents allow it."""
        decision = self._by_limits(posterior)
        if decision.action != "commit" or not said.missing.any():
            return decision
        first = replaced(said.first, said.missing, self.surest)
        again = None if said.again is None else np.broadcast_to(said.again, first.shape)
        for other in map(self._by_limits, fusion.posterior(first, again)):
            if other.label != decision.label:
                names = ", ".join(name for name, gone in zip(self.agents, said.missing, strict=True) if gone)
                reason = f"{names} gave no answer, and might have changed this decision"
                return refer_instead(self.task, decision, reason)
        return decision

    def _by_limits(self, posterior: Vector) -> Decision:
        return limited(self.task, posterior, self.commitment, self.selective)

    def _fusion(self, first: Mapping[str, Answer], round_: int) -> Fusion:
        """Fusion of the round; ``local`` fuses if no paid agent was asked."""
        paid = self.policy.asking is None or any(name in first for name in self.policy.asking.agents)
        learned = self.first if self.local is None or paid else self.local
        return Fusion(learned, self.second if round_ > 1 else None)

    def _said(self, first: Mapping[str, Answer], last: Mapping[str, Answer], round_: int) -> _Heard:
        raw = self._raw(first)
        later = {name: answer for name, answer in last.items() if answer.round > 1}
        again = self._raw(later) if round_ > 1 else None
        asked = np.isin(self.agents, list(first)) & ~np.isin(np.arange(len(self.agents)), self.first.silent)
        missing = asked & ~spoken(raw) & (True if again is None else ~spoken(again))
        return _Heard(raw, again, missing)

    def _raw(self, answers: Mapping[str, Answer]) -> Matrix:
        """Uncalibrated distributions ``(agents, k)``; NaN for answers that cannot be calibrated."""
        rows = np.full((len(self.agents), len(self.task.names)), np.nan)
        for i, name in enumerate(self.agents):
            answer = answers.get(name)
            if isinstance(answer, Opinion) and self._calibrated_for(answer):
                rows[i] = answer.vector(self.task)
        return rows

    def _calibrated(self, fusion: Fusion, said: _Heard) -> dict[str, dict[str, float]]:
        again = None if said.again is None else said.again[None]
        rows = fusion.calibrated(said.first[None], again)[0]
        return {name: self._named(row) for name, row in zip(self.agents, rows, strict=True) if spoken(row)}

    def _influence(self, posteriors: Matrix, calibrated: Mapping[str, object]) -> dict[str, float]:
        """Total variation distance between the posterior (first row) and those without each agent.

        The only agent with an opinion is compared with the prior.
        """
        prior = self.first.rule.fuse(np.full((1, len(self.agents), posteriors.shape[1]), np.nan))
        without = np.where(np.isnan(posteriors[1:]), prior, posteriors[1:])
        moved = np.abs(without - posteriors[0]).sum(axis=1) / 2
        return {name: float(far) for name, far in zip(self.agents, moved, strict=True) if name in calibrated}

    def _named(self, values: Vector) -> dict[str, float]:
        return dict(zip(self.task.names, values.tolist(), strict=True))

    def _calibrated_for(self, opinion: Opinion) -> bool:
        profile = self.profile(opinion.agent, min(opinion.round, 2))
        return (
            profile is not None
            and profile.confidence_source == opinion.confidence_source
            and profile.prior == opinion.prior
        )

    def _warnings(self, answers: Mapping[str, Answer], unfamiliar: Unfamiliarity | None) -> tuple[str, ...]:
        missing = [n for n, a in answers.items() if not isinstance(a, Opinion) and self.profile(n) is not None]
        unusable = [n for n, a in answers.items() if isinstance(a, Opinion) and not self._calibrated_for(a)]
        notes = [f"{', '.join(missing)} gave no answer, so the panel is incomplete"] if missing else []
        if unusable:
            notes.append(f"not counted, because such answers were never calibrated: {', '.join(unusable)}")
        if unfamiliar is not None and unfamiliar.alarm:
            notes.append(unfamiliar.reason)
        return tuple(notes)

    def _refer(self, reason: str) -> Decision:
        return Decision(action="refer", reasons=(reason,), expected_cost=self.task.costs.referral)

    def dump(self) -> Json:
        """Converts everything but the profiles to a JSON object."""
        found: Json = _ARBITER.dump_python(self, mode="json", exclude={"profiles"})
        return found

    @classmethod
    def load(cls, data: Json, profiles: Sequence[TrustProfile]) -> "Arbiter":
        """Restores an arbiter from ``dump`` and its trust profiles."""
        return _ARBITER.validate_python({**data, "profiles": tuple(profiles)})


_ARBITER = TypeAdapter(Arbiter)
