"""A case's course over answers that are known already: for reproductions, and to hold ``vector_replay`` to."""

from collections.abc import Mapping

from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.course import AgentsToAsk, Course, LabelsToContrast, Roster, next_step


def replay_case(
    arbiter: Arbiter, first: Mapping[str, Answer], second: Mapping[str, Answer], evidence: Evidence
) -> Course:
    """Where a case would have ended, had each agent answered ``first``, and ``second`` when asked again."""
    again = {name: answer for name, answer in second.items() if answer.round > 1}
    roster = Roster(arbiter, tuple(first), frozenset(again))
    course, step = next_step(Course(evidence=evidence), roster)
    while step is not None:
        if isinstance(step, AgentsToAsk):
            said = again if course.round > 1 else first
            course = course.with_answers(said[name] for name in step.agents)
        elif isinstance(step, LabelsToContrast):
            course = course.next_round(evidence)
        course, step = next_step(course, roster)
    return course
