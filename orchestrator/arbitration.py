"""Learning an arbiter from the answers that agents gave on cases they were not fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer, ConfidenceSource, Opinion
from doubleread.core.task import Costs, Task, with_costs
from doubleread.core.trust import TrustProfile
from doubleread.core.types import Labels, Matrix, Tensor3
from doubleread.orchestrator.arbiter import Arbiter, HeldOut
from doubleread.orchestrator.cascade import ask_more
from doubleread.orchestrator.choice import AUTO, Chosen, choose
from doubleread.orchestrator.conformal import ConformalSets
from doubleread.orchestrator.familiarity import ALARM_RATE, Familiarity, nearness_of
from doubleread.orchestrator.further import Asked
from doubleread.orchestrator.learning import Learned
from doubleread.orchestrator.metrics import clearly_better
from doubleread.orchestrator.policy import Policy
from doubleread.orchestrator.second_look import Look, asked_again, look_again
from doubleread.orchestrator.selective_risk import SelectiveRisk
from doubleread.orchestrator.trust import DRAWS, profile

PANEL = "panel"
"""Name of the whole panel in its own trust profile."""


@dataclass(frozen=True)
class Readings:
    """What every agent said about every calibration case, in both rounds, and the evidence it was given."""

    first: Sequence[Sequence[Answer]]
    """``first[case][agent]``."""
    second: Sequence[Sequence[Answer]]
    evidence: Sequence[Evidence]
    labels: Labels
    groups: Sequence[str] | None
    learned_from: str

    def rows(self, picked: Labels) -> "Readings":
        """Those of the cases at these positions."""
        at = picked.tolist()
        return replace(
            self,
            first=[self.first[i] for i in at],
            second=[self.second[i] for i in at],
            evidence=[self.evidence[i] for i in at],
            labels=self.labels[at],
            groups=None if self.groups is None else [self.groups[i] for i in at],
        )


@dataclass(frozen=True)
class Learning:
    """How trust is to be learned; the names are those of the settings."""

    rule: str = AUTO
    calibrator: str = AUTO
    folds: int = 5
    bins: int = 15
    ocr_threshold: float = 0.8
    coverage: float = 0.9
    sets: str = "lac"
    max_risk: float | None = None
    """Most that may be wrong among the committed; None: what decides is cost alone."""
    risk_confidence: float = 0.9
    alarm_rate: float = ALARM_RATE
    draws: int = DRAWS
    """Bootstrap samples behind the intervals of trust profiles."""
    seed: int = 0


@dataclass(frozen=True)
class Grounds:
    """What an arbiter rests on before any policy: the answers, and how those of the first round are fused."""

    asked: Asked
    first: Tensor3
    second: Tensor3
    """Raw opinions of both rounds, ``(n, agents, k)``; NaN where there is none."""
    readings: Readings
    learning: Learning
    familiarity: Familiarity
    left_out: tuple[str, ...]

    @classmethod
    def of(
        cls,
        task: Task,
        agents: tuple[str, ...],
        readings: Readings,
        learning: Learning,
        referees: Sequence[str] = (),
    ) -> Self:
        """Chooses calibrators and fusion; of the agents, ``referees`` stay only where they lowered the log-loss."""
        first = tensor(task, readings.first)
        chosen, left_out = _choose_with_referees(first, task, agents, readings, learning, referees)
        second = tensor(task, readings.second)
        for raw in (first, second):
            raw[:, [agents.index(name) for name in left_out]] = np.nan
        labels, groups = readings.labels, readings.groups
        asked = Asked(task, agents, readings.first, labels, groups, chosen, learning.folds, learning.seed)
        near = np.array([nearness_of(found) for found in readings.evidence])
        familiarity = Familiarity.fit(near, first, learning.alarm_rate)
        return cls(asked, first, second, readings, learning, familiarity, left_out)

    def at(self, costs: Costs) -> Self:
        """The same at other costs of errors and referrals."""
        return replace(self, asked=replace(self.asked, task=with_costs(self.asked.task, costs)))

    def settled(self, policy: Policy) -> tuple[Arbiter, Look]:
        """The arbiter under a policy, without trust profiles, and the second look behind it.

        Fits on answers that were fused before, under another policy or other costs, are not made again.
        """
        asked, readings, learning = self.asked, self.readings, self.learning
        more = ask_more(asked, self.first, policy)
        look = look_again(asked, self.first, self.second, readings.second, more, policy)
        posterior, correct = look.posterior, look.posterior.argmax(axis=1) == readings.labels
        sets = ConformalSets.fit(
            posterior, readings.labels, coverage=learning.coverage, score=learning.sets, groups=readings.groups
        )
        selective = _selective(posterior, correct, readings, learning)
        notes = (
            asked.chosen.note,
            *more.notes,
            *look.notes,
            self.familiarity.note,
            selective.note if selective else "",
        )
        arbiter = Arbiter(
            task=asked.task,
            agents=asked.agents,
            first=asked.chosen.learned,
            local=more.local,
            second=look.second,
            policy=policy.model_copy(update={"asking": more.gate, "looking": look.gate}),
            sets=sets,
            selective=selective,
            familiarity=self.familiarity,
            held_out=HeldOut(posterior=posterior, correct=correct),
            profiles=(),
            left_out=self.left_out,
            notes=tuple(filter(None, notes)),
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
    """Calibrators, fusion, profiles, guarantees and gates, everything judged by cross-fitting.

    Second looks that did not lower the log-loss of the calibration cases they would be taken on are switched off.
    Of the agents, those named in ``referees`` stay only where they clearly lowered the log-loss.
    """
    grounds = Grounds.of(task, agents, readings, learning, referees)
    arbiter, look = grounds.settled(policy)
    profiles = (
        *_profiles(task, agents, grounds.first, arbiter.first, 1, readings, learning),
        *(_profiles(task, agents, look.raw, look.second.learned, 2, readings, learning) if look.second else ()),
        _panel_profile(task, look.posterior, readings, learning),
    )
    return replace(arbiter, profiles=profiles)


def _selective(
    posterior: Matrix, correct: np.ndarray[tuple[int], np.dtype[np.bool_]], readings: "Readings", learning: "Learning"
) -> SelectiveRisk | None:
    """The threshold that keeps the promise about the committed; None where none is wanted."""
    if learning.max_risk is None:
        return None
    return SelectiveRisk.fit(
        posterior.max(axis=1), correct, learning.max_risk, 1 - learning.risk_confidence, groups=readings.groups
    )


def tensor(task: Task, answers: Sequence[Sequence[Answer]]) -> Tensor3:
    """Raw distributions, shape ``(cases, agents, labels)``; NaN where an agent abstained."""
    nothing = np.full(len(task.names), np.nan)
    rows = [[a.vector(task) if isinstance(a, Opinion) else nothing for a in case] for case in answers]
    return np.array(rows, dtype=float)


def _choose_with_referees(
    raw: Tensor3, task: Task, agents: tuple[str, ...], readings: Readings, learning: Learning, referees: Sequence[str]
) -> tuple[Chosen, tuple[str, ...]]:
    """The fit of the first round, and the referees that were left out of it."""
    kept = [name not in referees for name in agents]
    best = _choose(np.where(np.array(kept)[None, :, None], raw, np.nan), task, readings, learning)
    for i, name in enumerate(agents):
        if name not in referees or np.isnan(raw[:, i]).all():
            continue
        kept[i] = True
        candidate = _choose(np.where(np.array(kept)[None, :, None], raw, np.nan), task, readings, learning)
        kept[i] = clearly_better(best.learned.held_out, candidate.learned.held_out, readings.labels)
        best = candidate if kept[i] else best
    return best, tuple(name for name, keep in zip(agents, kept, strict=True) if not keep)


def _choose(raw: Tensor3, task: Task, readings: Readings, learning: Learning) -> Chosen:
    return choose(
        raw,
        readings.labels,
        readings.groups,
        task.prior_vector() if task.prior else None,  # without a stated prevalence, that of the calibration cases
        calibrator=learning.calibrator,
        rule=learning.rule,
        folds=learning.folds,
        seed=learning.seed,
    )


def _profiles(
    task: Task,
    agents: tuple[str, ...],
    raw: Tensor3,
    learned: Learned,
    round_: int,
    readings: Readings,
    learning: Learning,
) -> list[TrustProfile]:
    """One profile for each agent that gave any opinion in that round, of the cases it was asked on.

    Its slot in ``learned`` is the last of its own.
    """
    answers = readings.first if round_ == 1 else readings.second
    slots = len(learned.calibrators) - len(agents)
    turns = asked_again(answers) if round_ > 1 else np.ones(raw.shape[:2], dtype=bool)
    spoke = [i for i in range(len(agents)) if not np.isnan(raw[turns[:, i], i]).all()]
    rows = {i: readings.rows(np.flatnonzero(turns[:, i])) for i in spoke}
    return [
        profile(
            agents[i],
            task,
            raw[turns[:, i], i],
            rows[i].labels,
            rows[i].groups,
            round=round_,
            source=_source(answers, i),
            bins=learning.bins,
            ocr_threshold=learning.ocr_threshold,
            calibrator=learned.calibrators[slots + i],
            calibrated_P=learned.held_out_calibrated[turns[:, i], slots + i],
            learned_from=readings.learned_from,
            seed=learning.seed,
            draws=learning.draws,
        )
        for i in spoke
    ]


def _panel_profile(task: Task, posterior: Matrix, readings: Readings, learning: Learning) -> TrustProfile:
    return profile(
        PANEL,
        task,
        posterior,
        readings.labels,
        readings.groups,
        round=1,
        source=None,
        bins=learning.bins,
        ocr_threshold=learning.ocr_threshold,
        learned_from=readings.learned_from,
        seed=learning.seed,
        draws=learning.draws,
    )


def sources(agents: Sequence[str], readings: Readings) -> tuple[tuple[ConfidenceSource | None, ...], ...]:
    """Of both rounds, each agent's kind of confidence that is calibrated; None where it gave no opinion."""
    return tuple(
        tuple(_source(answers, i) for i in range(len(agents))) for answers in (readings.first, readings.second)
    )


def _source(answers: Sequence[Sequence[Answer]], agent: int) -> ConfidenceSource | None:
    return next((a.confidence_source for case in answers if isinstance(a := case[agent], Opinion)), None)
