"""What happens next to a case, by what is known of it: nobody is asked here."""

from dataclasses import replace

import pytest
from kit import TASK, evidence_for, opinion
from scripts_kit import Script, panel

from doubleread.orchestrator.course.course import (
    AgentsToAsk,
    Course,
    LabelsToContrast,
    RefereesToConsult,
    Roster,
    Unlearned,
    next_step,
)
from doubleread.orchestrator.course.policy import Policy

SCRIPTS = {"a": Script(0.8, then=0.97), "b": Script(0.75, then=0.9), "dear": Script(0.95, usd=0.001)}
FOUND = evidence_for("rust", similarity=0.8)
ABLE = frozenset({"a", "b"})


@pytest.fixture(scope="module")
def arbiter():
    return panel(SCRIPTS, policy=Policy(max_share=0.9, ask_share=0.3))


@pytest.fixture(scope="module")
def roster(arbiter):
    return Roster(arbiter, tuple(SCRIPTS), ABLE)


def told(course, **shares):
    return course.with_answers(opinion(name, *said, round=course.round) for name, said in shares.items())


def test_the_agents_that_cost_nothing_are_asked_first_and_evidence_is_found_meanwhile(roster):
    assert next_step(Course(), roster) == (Course(), AgentsToAsk(("a", "b")))
    waiting = told(Course(), a=(0, 1, 0), b=(0, 1, 0))
    assert next_step(waiting, roster).task == AgentsToAsk(())  # for the evidence alone
    assert next_step(Course(), replace(roster, at_once=True)).task == AgentsToAsk(("a", "b", "dear"))


def test_a_sure_panel_ends_and_its_assessment_is_known(roster):
    course, task = next_step(told(Course(evidence=FOUND), a=(0, 1, 0), b=(0, 1, 0)), roster)
    assert task is None
    assert (course.ended, course.assessment.decision.label, course.turn) == (True, "rust", "1")


def test_a_doubtful_panel_asks_the_others_then_looks_again_and_then_ends(roster):
    course = told(Course(evidence=FOUND), a=(0.6, 0.4, 0), b=(0.4, 0.6, 0))
    course, task = next_step(course, roster)
    assert (task, course.turn, course.ended) == (AgentsToAsk(("dear",)), "1/all", False)
    course, task = next_step(told(course, dear=(0.5, 0.5, 0)), roster)
    assert task == LabelsToContrast(("healthy", "rust"))
    course, task = next_step(course.next_round(FOUND), roster)
    assert (task, course.turn) == (AgentsToAsk(("a", "b")), "2/all")
    course, task = next_step(told(course, a=(0, 1, 0), b=(0, 1, 0)), roster)
    assert (task, sorted(course.assessments)) == (None, [1, 2])
    assert {name: one.round for name, one in course.known(2).items()} == {"a": 2, "b": 2, "dear": 1}


def test_it_depends_on_nothing_but_what_is_known(roster):
    course = told(Course(evidence=FOUND), a=(0.6, 0.4, 0), b=(0.4, 0.6, 0))
    opened = next_step(course, roster).course
    assert next_step(course, roster) == next_step(course, roster)
    assert next_step(opened, roster) == next_step(course, roster)


def test_a_second_look_that_was_asked_for_is_taken_whatever_it_is_worth(roster):
    sure = told(Course(evidence=FOUND), a=(0, 1, 0), b=(0, 1, 0))
    assert isinstance(next_step(sure, replace(roster, look_again=True)).task, LabelsToContrast)
    assert next_step(sure, replace(roster, look_again=True, able=frozenset())).task is None


def test_referees_are_consulted_in_every_turn_with_what_the_agents_said(roster):
    roster = replace(roster, referees=("judge",))
    course = told(Course(evidence=FOUND), a=(0.6, 0.4, 0), b=(0.4, 0.6, 0))
    task = next_step(course, roster).task
    assert isinstance(task, RefereesToConsult)
    assert (task.referees, set(task.said), set(task.records)) == (("judge",), {"a", "b"}, {"a", "b"})
    course, task = next_step(told(course, judge=(0.5, 0.5, 0)), roster)
    course, task = next_step(told(course, dear=(0.5, 0.5, 0)), roster)
    assert isinstance(task, RefereesToConsult)
    assert (set(task.said), list(course.answers)) == ({"a", "b", "dear"}, ["1/a", "1/b", "1/judge", "1/all/dear"])


@pytest.mark.parametrize("rounds", [1, 2])
def test_before_trust_is_learned_everyone_answers_in_every_round(rounds):
    roster = Roster(Unlearned(TASK, rounds), tuple(SCRIPTS), ABLE)
    course, task = next_step(Course(evidence=FOUND), roster)
    assert task == AgentsToAsk(tuple(SCRIPTS))
    course, task = next_step(told(course, **dict.fromkeys(SCRIPTS, (0, 1, 0))), roster)
    if rounds == 2:
        assert isinstance(task, LabelsToContrast)
        course, task = next_step(course.next_round(FOUND), roster)
        assert task == AgentsToAsk(("a", "b"))
        course, task = next_step(told(course, a=(0, 1, 0), b=(0, 1, 0)), roster)
    assert (task, course.round) == (None, rounds)
