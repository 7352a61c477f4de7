"""Fits an arbiter on agents' answers to cases that they were not fitted on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Self

import numpy as np

from doubleread.core.evidence import Evidence
from doubleread.core.notices import Caution, divided
from doubleread.core.opinion import Answer, ConfidenceSource, Opinion
from doubleread.core.task import Costs, Task, with_costs
from doubleread.core.trust import Estimate, TrustProfile
from doubleread.core.types import Labels, Tensor3, Vector
from doubleread.orchestrator.conformal import ConformalSets
from doubleread.orchestrator.conformal.selective_risk import SelectiveRisk
from doubleread.orchestrator.course.arbiter import Arbiter, HeldOut
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.rounds import struck, surest_opinions
from doubleread.orchestrator.gates.further import GateSample, ask_more, mean_usd
from doubleread.orchestrator.gates.gate import Commitment
from doubleread.orchestrator.gates.second_look import SecondLookFit, asked_again, look_again
from doubleread.orchestrator.learning._membership import Members, select, silent_agents
from doubleread.orchestrator.learning.assumed_prior import assumed_priors, stated_priors
from doubleread.orchestrator.learning.choice import AUTO, choose
from doubleread.orchestrator.learning.fusion_learning import Learned, Sample
from doubleread.orchestrator.learning.subject_pooling import HeldOutImages, learn_pooling
from doubleread.orchestrator.metrics import losses
from doubleread.orchestrator.ood.familiarity import ALARM_RATE, Familiarity, nearness_of
from doubleread.orchestrator.resampling import bootstrap, group_codes
from doubleread.orchestrator.simplex import shares, spoken
from doubleread.orchestrator.trust.profile import DRAWS, profile

PANEL = "panel"
"""Name of the whole panel in its trust profile."""


@dataclass(frozen=True)
class Readings:
    """Every agent's answers on the calibration cases in both rounds, with the evidence."""

    first: Sequence[Sequence[Answer]]
    """``first[case][agent]``."""
    second: Sequence[Sequence[Answer]]
    evidence: Sequence[Evidence]
    labels: Labels
    groups: Sequence[str] | None
    learned_from: str
    support: Vector | None = None
    """Label shares of the cases that agents were fitted on, ``(k,)``; None if unknown."""
    subjects: Sequence[str | None] | None = None
    """The subject of each case, which several images may show; None if no case has one."""
    first_looks_only: Mapping[str, str] = field(default_factory=dict)
    """Agents that never answer a second look, each with the reason; their second answers are their first."""

    def rows(self, picked: Labels) -> "Readings":
        """Readings of the cases at these positions."""
        at = picked.tolist()
        return replace(
            self,
            first=[self.first[i] for i in at],
            second=[self.second[i] for i in at],
            evidence=[self.evidence[i] for i in at],
            labels=self.labels[at],
            groups=None if self.groups is None else [self.groups[i] for i in at],
            subjects=None if self.subjects is None else [self.subjects[i] for i in at],
        )


@dataclass(frozen=True)
class Learning:
    """Settings of fitting trust, named as in the settings file."""

    rule: str = AUTO
    calibrator: str = AUTO
    folds: int = 5
    bins: int = 15
    ocr_threshold: float = 0.8
    coverage: float = 0.9
    sets: str = "lac"
    max_risk: float | None = None
    """Most errors among the committed, as a share; None: only cost decides."""
    risk_confidence: float = 0.9
    alarm_rate: float = ALARM_RATE
    draws: int = DRAWS
    """Bootstrap samples for the intervals of trust profiles."""
    seed: int = 0


@dataclass(frozen=True)
class Grounds:
    """Everything an arbiter needs apart from the policy: answers, and the first round's fusion."""

    asked: GateSample
    first: Tensor3
    second: Tensor3
    """Raw opinions of both rounds, ``(n, agents, k)``; NaN if missing."""
    readings: Readings
    learning: Learning
    familiarity: Familiarity
    members: Members

    @classmethod
    def of(
        cls,
        task: Task,
        agents: tuple[str, ...],
        readings: Readings,
        learning: Learning,
        referees: Sequence[str] = (),
    ) -> Self:
        """Selects calibrators, fusion and agents; ``referees`` stay only if they lowered the log-loss."""
        first, second = tensor(task, readings.first), tensor(task, readings.second)
        sample = Sample(
            readings.labels,
            readings.groups,
            task.prior_vector() if task.prior else None,
            assumed_priors(stated_priors(len(agents), readings.first), task, readings.support),
            learning.folds,
            learning.seed,
        )
        choosing = partial(choose, sample=sample, calibrator=learning.calibrator, rule=learning.rule, names=agents)
        members = select(first, sample, agents, referees, mean_usd(readings.first), choosing)
        members = members.without(silent_agents(agents, [*readings.first, *readings.second]))
        out = np.isin(agents, members.left_out)
        heard, again = (np.where(out[None, :, None], np.nan, raw) for raw in (first, second))
        asked = GateSample(task, agents, readings.first, sample, members.chosen)
        near = np.array([nearness_of(found) for found in readings.evidence])
        familiarity = Familiarity.fit(near, heard, learning.alarm_rate, readings.groups)
        return cls(asked, heard, again, readings, learning, familiarity, members)

    def at(self, costs: Costs) -> Self:
        """Copy with other costs of errors and referrals."""
        return replace(self, asked=replace(self.asked, task=with_costs(self.asked.task, costs)))

    def settled(self, policy: Policy) -> tuple[Arbiter, SecondLookFit]:
        """Returns the arbiter under a policy, without trust profiles, and its second look.

        Reuses fits of the same answers under other policies or costs.
        """
        asked, readings, learning = self.asked, self.readings, self.learning
        more = ask_more(asked, self.first, policy)
        look = look_again(asked, self.first, self.second, readings.second, more, policy)
        posterior, correct = look.posterior, look.posterior.argmax(axis=1) == readings.labels
        sets = ConformalSets.fit(
            posterior, readings.labels, coverage=learning.coverage, score=learning.sets, groups=readings.groups
        )
        selective = None
        if learning.max_risk is not None:
            delta = 1 - learning.risk_confidence
            selective = SelectiveRisk.fit(
                posterior.max(axis=1), correct, learning.max_risk, delta, groups=readings.groups
            )
        commitment = Commitment.fit(asked.task, posterior, readings.labels, readings.groups)
        held_out = HeldOutImages(posterior, readings.labels, group_codes(readings.groups, len(correct)))
        prior = asked.task.prior_vector() if asked.task.prior else shares(readings.labels, posterior.shape[1])
        subjects = learn_pooling(held_out, readings.subjects, prior, learning.folds, learning.seed)
        first_only = {n: why for n, why in readings.first_looks_only.items() if n not in self.members.left_out}
        every = (
            *asked.chosen.notes,
            *self.members.notes,
            *more.notes,
            *look.notes,
            sets.note,
            Caution(sets.warning),
            commitment.note if commitment.possible else Caution(commitment.note),
            Caution(self.familiarity.note),
            "" if selective is None else selective.note if selective.possible else Caution(selective.note),
            subjects.note if subjects.learned else Caution(subjects.note),
            *(Caution(f"{name} takes no second look: {why}") for name, why in first_only.items()),
        )
        notes, warnings = divided(every)
        arbiter = Arbiter(
            task=asked.task,
            agents=asked.agents,
            first=asked.chosen.learned,
            local=more.local,
            second=look.second,
            policy=policy.model_copy(update={"asking": more.gate, "looking": look.gate}),
            sets=sets,
            selective=selective,
            commitment=commitment,
            familiarity=self.familiarity,
            held_out=HeldOut(posterior=posterior, correct=correct),
            surest=surest_opinions(self.first),
            support=None if readings.support is None else tuple(readings.support.tolist()),
            profiles=(),
            left_out=self.members.left_out,
            first_looks_only=first_only,
            notes=notes,
            warnings=warnings,
            subjects=subjects,
        )
        return arbiter, look


def fit_arbiter(
    task: Task,
    agents: tuple[str, ...],
    readings: Readings,
    policy: Policy,
    learning: Learning,
    referees: Sequence[str] = (),
) -> Arbiter:
    """Fits calibrators, fusion, profiles, guarantees and gates, judging everything by cross-fitting.

    Every choice takes the most cautious candidate unless another lowered the held-out log-loss by more than one
    standard error clustered by group: fusion, intercepts, agents, referees, cascade and second looks.
    """
    grounds = Grounds.of(task, agents, readings, learning, referees)
    arbiter, look = grounds.settled(policy)
    make = partial(
        profile,
        task=task,
        bins=learning.bins,
        ocr_threshold=learning.ocr_threshold,
        learned_from=readings.learned_from,
        seed=learning.seed,
        draws=learning.draws,
    )
    first, effects = tensor(task, readings.first), _effects(grounds)
    profiles = (
        *(
            one.model_copy(update=effects.get(one.agent, {}))
            for one in _profiles(make, agents, first, arbiter.first, 1, readings)
        ),
        *(_profiles(make, agents, look.raw, look.second.learned, 2, readings) if look.second else ()),
        make(PANEL, P=look.posterior, y=readings.labels, groups=readings.groups),
    )
    return replace(arbiter, profiles=profiles)


def _effects(grounds: Grounds) -> dict[str, dict[str, Estimate]]:
    """Each agent's mean influence on held-out posteriors and decrease in their log-loss (first round)."""
    asked, readings, learning = grounds.asked, grounds.readings, grounds.learning
    without_each = {
        str(i): struck(grounds.first, i) for i in np.flatnonzero(spoken(grounds.first).any(axis=0)).tolist()
    }
    found = asked.learn(grounds.first, without_each)
    effects: dict[str, dict[str, Estimate]] = {}
    for i, without in found.alternatives.items():
        moved = np.abs(without - found.held_out).sum(axis=1) / 2
        lowered = losses(without, readings.labels) - losses(found.held_out, readings.labels)
        effects[asked.agents[int(i)]] = {
            name: bootstrap(partial(_mean_of, values), len(values), learning.draws, learning.seed, readings.groups)
            for name, values in (("influence", moved), ("benefit", lowered))
        }
    return effects


def _mean_of(values: Vector, rows: Labels) -> float:
    return float(values[rows].mean())


def tensor(task: Task, answers: Sequence[Sequence[Answer]]) -> Tensor3:
    """Raw distributions, shape ``(cases, agents, labels)``; NaN for abstentions."""
    nothing = np.full(len(task.names), np.nan)
    rows = [[a.vector(task) if isinstance(a, Opinion) else nothing for a in case] for case in answers]
    return np.array(rows, dtype=float)


def _profiles(
    make: Callable[..., TrustProfile],
    agents: tuple[str, ...],
    raw: Tensor3,
    learned: Learned,
    round_: int,
    readings: Readings,
) -> list[TrustProfile]:
    """Profiles of the agents with any opinion in that round, on the cases they were asked on.

    An agent's slot in ``learned`` is its last; an agent that was left out has no calibrator there.
    """
    answers = readings.first if round_ == 1 else readings.second
    slots = len(learned.calibrators) - len(agents)
    turns = asked_again(answers) if round_ > 1 else np.ones(raw.shape[:2], dtype=bool)
    priors, found = stated_priors(len(agents), answers), []
    for i, name in enumerate(agents):
        turn, calibrator = turns[:, i], learned.calibrators[slots + i]
        if np.isnan(raw[turn, i]).all():
            continue
        rows = readings.rows(np.flatnonzero(turn))
        calibrated = None if calibrator is None else learned.held_out_calibrated[turn, slots + i]
        found.append(
            make(
                name,
                P=raw[turn, i],
                y=rows.labels,
                groups=rows.groups,
                round=round_,
                source=_source(answers, i),
                prior=priors[i],
                calibrator=calibrator,
                calibrated_P=calibrated,
            )
        )
    return found


def sources(agents: Sequence[str], readings: Readings) -> tuple[tuple[ConfidenceSource | None, ...], ...]:
    """Confidence source of each agent's opinions, by round; None without opinions."""
    return tuple(
        tuple(_source(answers, i) for i in range(len(agents))) for answers in (readings.first, readings.second)
    )


def _source(answers: Sequence[Sequence[Answer]], agent: int) -> ConfidenceSource | None:
    return next((a.confidence_source for case in answers if isinstance(a := case[agent], Opinion)), None)
