"""Replaying recorded answers takes the same course as asking live."""

import pytest
from kit import TASK, ScriptedAgent, ScriptedRetriever, SecondThoughts, case_of
from scripts_kit import Script, panel, readings

from doubleread.evals.case_replay import replay_case
from doubleread.orchestrator.course.follow import follow
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.seats import Seats

SCRIPTS = {
    "a": Script(0.8, then=0.97, silent=0.05),
    "b": Script(0.75, then=0.9, silent=0.15),
    "c": Script(0.7),
    "dear": Script(0.95, then=0.98, usd=0.001, silent=0.05),
}
POLICIES = {
    "everyone at once": Policy(max_share=0.4),
    "cascade": Policy(max_share=0.4, ask_share=0.3),
    "cascade, wider second look": Policy(max_share=0.9, ask_share=0.1),
    "one round": Policy(max_rounds=1, ask_share=0.3),
}


def live(arbiter, first, second, evidence):
    def seated(one, other):
        looks = SCRIPTS[one.agent].then is not None
        return SecondThoughts(one.agent, one, then_says=other) if looks else ScriptedAgent(one.agent, one)

    agents = {one.agent: seated(one, other) for one, other in zip(first, second, strict=True)}
    return Seats(agents, ScriptedRetriever(evidence), arbiter)


def timeless(verdict):
    """Without what the clock says."""
    answers = {
        name: tuple(one.model_copy(update={"seconds": 0.0}) for one in getattr(verdict, name))
        for name in ("opinions", "abstentions")
    }
    return verdict.model_copy(update={"seconds": 0.0, **answers})


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
async def test_it_is_what_the_graph_does_and_what_many_cases_go_through(policy):
    arbiter = panel(SCRIPTS, policy=policy)
    said = readings(SCRIPTS, 60, seed=7)
    said.evidence[0] = said.evidence[0].model_copy(
        update={"quality": said.evidence[0].quality.model_copy(update={"similarity": -0.9})}
    )
    looked, spared, alarmed = 0, 0, 0
    for i, (first, second, evidence) in enumerate(zip(said.first, said.second, said.evidence, strict=True)):
        replayed = replay_case(arbiter, {a.agent: a for a in first}, {a.agent: a for a in second}, evidence)
        verdict = await diagnose(case_of(str(i)), live(arbiter, first, second, evidence))
        followed = await follow(case_of(str(i)), live(arbiter, first, second, evidence))
        assert timeless(followed) == timeless(verdict)
        found = replayed.assessment
        assert found.scores == verdict.scores
        assert (found.decision, found.prediction_set) == (verdict.decision, verdict.prediction_set)
        assert (found.influence, found.familiarity) == (verdict.influence, verdict.familiarity)
        unasked = arbiter.spared(replayed.known(1))
        assert (replayed.round > 1, unasked) == (verdict.second_look is not None, verdict.spared)
        told = {(a.agent, a.round) for a in (*verdict.opinions, *verdict.abstentions)}
        assert {(a.agent, a.round) for a in replayed.answers.values()} == told
        looked += replayed.round > 1
        spared += bool(unasked)
        alarmed += found.familiarity.alarm
    assert (looked > 0) == (policy.max_rounds > 1)
    assert (0 < spared < 60) == (policy.ask_share < 1)
    assert alarmed


def test_an_agent_that_is_spared_takes_no_second_look():
    arbiter = panel(SCRIPTS, policy=POLICIES["cascade, wider second look"])
    said = readings(SCRIPTS, 60, seed=8)
    courses = [
        replay_case(arbiter, {a.agent: a for a in one}, {a.agent: a for a in two}, evidence)
        for one, two, evidence in zip(said.first, said.second, said.evidence, strict=True)
    ]
    both = [course for course in courses if course.round > 1 and arbiter.spared(course.known(1))]
    assert both
    assert all("dear" not in {a.agent for a in course.answers.values()} for course in both)
    assert {name for course in courses for name in arbiter.spared(course.known(1))} == {"dear"}
    assert set(TASK.names) >= {course.assessment.decision.label for course in courses} - {None}
