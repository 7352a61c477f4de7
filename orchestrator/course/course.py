"""A case's course through the panel: its present state and the next step.

``next_step`` alone defines the order of steps, and it is a pure function. The graph, ``follow``, fitting and the replay
of recorded answers carry out its steps and add the results to the ``Course``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer, Opinion
from doubleread.core.task import Task
from doubleread.core.trust import TrustProfile
from doubleread.core.verdict import Decision
from doubleread.orchestrator.course.arbiter import Arbiter, Assessment

_ASKED_FOR = Decision(action="second-look", reasons=("asked for",))


@dataclass(frozen=True)
class Course:
    """State of one case."""

    round: int = 1
    asked_all: bool = False
    """Whether agents that were first spared are asked too."""
    evidence: Evidence | None = None
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """Answers by turn and agent, such as ``"1/logistic"``, in order of arrival."""
    assessments: Mapping[int, Assessment] = field(default_factory=dict)
    """The last assessment of each round."""

    @property
    def turn(self) -> str:
        """The round, and whether all agents are asked: ``1``, ``1/all``, ``2`` or ``2/all``."""
        return f"{self.round}/all" if self.asked_all else f"{self.round}"

    @property
    def assessment(self) -> Assessment:
        """The latest assessment."""
        return self.assessments[max(self.assessments)]

    @property
    def ended(self) -> bool:
        """Whether the case was decided or referred."""
        return bool(self.assessments) and self.assessment.decision.action in {"commit", "refer"}

    def known(self, round_: int) -> dict[str, Answer]:
        """Each agent's latest answer up to ``round_``: an agent that was not asked again keeps its answer."""
        ordered = sorted((one for one in self.answers.values() if one.round <= round_), key=lambda one: one.round)
        return {answer.agent: answer for answer in ordered}

    def with_answers(self, answers: Iterable[Answer]) -> "Course":
        """Copy with answers of this turn added."""
        return replace(self, answers={**self.answers, **{f"{self.turn}/{one.agent}": one for one in answers}})

    def next_round(self, evidence: Evidence) -> "Course":
        """Copy in the next round, with this evidence."""
        return replace(self, round=self.round + 1, evidence=evidence)


@dataclass(frozen=True)
class Unlearned:
    """Judge of calibration cases before trust is learned: asks every agent in each of ``rounds``."""

    task: Task
    rounds: int
    left_out: tuple[str, ...] = ()

    def spared(self, _: Mapping[str, Answer]) -> tuple[str, ...]:
        return ()

    def looks_again(self, _: str) -> bool:
        return True

    def records(self, _: Mapping[str, Answer]) -> dict[str, TrustProfile]:
        return {}

    def assess(self, *_: object, round_: int, **__: object) -> Assessment:
        decision = Decision(action="second-look" if round_ < self.rounds else "refer")
        return Assessment(decision=decision, prediction_set=self.task.names)


@dataclass(frozen=True)
class Roster:
    """The agents that can be asked about a case, and the judge of their answers.

    With ``at_once`` paid agents are asked with the others; with ``look_again`` a second look is taken regardless of its
    worth, if any agent can take one.
    """

    judge: Arbiter | Unlearned
    agents: tuple[str, ...]
    able: frozenset[str]
    """Agents that can take a second look."""
    referees: tuple[str, ...] = ()
    at_once: bool = False
    look_again: bool = False

    @property
    def spared(self) -> tuple[str, ...]:
        """Paid agents and referees that are asked only if that is worth the price."""
        names = () if self.at_once else self.judge.spared({})
        return tuple(name for name in names if name in self.agents or name in self.referees)

    def can_look_again(self, agent: str) -> bool:
        """Whether an agent can take a second look and the judge wants one from it."""
        return agent in self.able and self.judge.looks_again(agent)

    def due(self, course: Course) -> tuple[str, ...]:
        """Agents that still have to answer in this turn.

        The free agents come first, then the others; in a second look those that can and should look again.
        """
        known = course.known(course.round)
        if course.round > 1:
            earlier = [name for name in self.agents if name in known and known[name].round < course.round]
            return tuple(name for name in earlier if self.can_look_again(name))
        unasked = self._unasked(course)
        return tuple(name for name in self.agents if name not in known and name not in unasked)

    def referees_due(self, course: Course) -> tuple[str, ...]:
        """Referees that still have to answer in this turn."""
        unasked = self._unasked(course)
        given = [name for name in self.referees if f"{course.turn}/{name}" in course.answers]
        return tuple(name for name in self.referees if name not in unasked and name not in given)

    def contested(self, course: Course) -> tuple[str, ...]:
        """Labels that a second look compares."""
        return contested(self.judge.task, course.known(course.round).values(), course.evidence)

    def assess(self, course: Course) -> Assessment:
        """Assesses the round's answers and decides what follows."""
        first = course.known(1)
        able = any(self.can_look_again(name) for name in first)
        found = self.judge.assess(
            first,
            course.known(course.round),
            course.evidence,
            round_=course.round,
            can_ask_more=course.round == 1 and not course.asked_all and bool(self.spared),
            can_look_again=able,
        )
        wanted = self.look_again and able and course.round == 1 and found.decision.action in {"commit", "refer"}
        return found.model_copy(update={"decision": _ASKED_FOR}) if wanted else found

    def _unasked(self, course: Course) -> tuple[str, ...]:
        return (*(() if course.asked_all else self.spared), *self.judge.left_out)


@dataclass(frozen=True)
class AgentsToAsk:
    """Ask these agents concurrently; retrieve evidence meanwhile if there is none yet."""

    agents: tuple[str, ...]


@dataclass(frozen=True)
class RefereesToConsult:
    """Ask these referees to weigh the agents' answers and records."""

    referees: tuple[str, ...]
    said: Mapping[str, Answer]
    records: Mapping[str, TrustProfile]


@dataclass(frozen=True)
class LabelsToContrast:
    """Retrieve stored cases of these labels and start the next round with them."""

    labels: tuple[str, ...]


class NextStep(NamedTuple):
    """The updated course and the next task; None if it has ended."""

    course: Course
    task: AgentsToAsk | RefereesToConsult | LabelsToContrast | None


def next_step(course: Course, roster: Roster) -> NextStep:
    """Returns the next step of a case as a pure function of its course: asks no agent, changes nothing."""
    due = roster.due(course)
    if due or course.evidence is None:
        return NextStep(course, AgentsToAsk(due))
    if referees := roster.referees_due(course):
        said = {name: a for name, a in course.known(course.round).items() if name not in roster.referees}
        return NextStep(course, RefereesToConsult(referees, said, roster.judge.records(said)))
    course = replace(course, assessments={**course.assessments, course.round: roster.assess(course)})
    action = course.assessment.decision.action
    if action == "ask-more":
        return next_step(replace(course, asked_all=True), roster)
    return NextStep(course, LabelsToContrast(roster.contested(course)) if action == "second-look" else None)


def contested(task: Task, answers: Iterable[Answer], evidence: Evidence | None) -> tuple[str, ...]:
    """Labels that any agent named or the evidence implies, in task order; at least two.

    If there is only one, the most probable other label by the mean opinion is added.
    """
    opinions = [answer for answer in answers if isinstance(answer, Opinion)]
    named = {opinion.label for opinion in opinions} | ({evidence.label} if evidence and evidence.label else set())
    if len(named) < 2:
        mean = np.mean([opinion.vector(task) for opinion in opinions] or [task.prior_vector()], axis=0)
        ranked = [task.names[k] for k in np.argsort(-mean, kind="stable")]
        named |= set([name for name in ranked if name not in named][: 2 - len(named)])
    return tuple(name for name in task.names if name in named)
