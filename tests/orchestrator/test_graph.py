"""Stories of one case on its way through the panel."""

from dataclasses import replace

import numpy as np
import pytest
from kit import TASK, ScriptedAgent, ScriptedRetriever, SecondThoughts, case_of, evidence_for, opinion

from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.rounds import combine
from doubleread.orchestrator.course.seats import Seats
from doubleread.orchestrator.learning.arbitration import Learning, Readings, fit_arbiter

CASE = case_of("leaf")
QUICK = Learning(rule="log-pool", calibrator="temperature")


def calibration(n=90, *, better_second=True, seed=0):
    """Three agents of different skill on ``n`` cases; the second answers are better than the first, or worse."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3

    def said(name, skill, turn):
        rows = []
        for truth in labels:
            top = truth if rng.random() < skill else (truth + 1) % 3
            shares = np.full(3, 0.1)
            shares[top] = 0.8
            rows.append(opinion(name, *shares, round=turn))
        return rows

    after = 0.09 if better_second else -0.55
    skills = {"a": 0.9, "b": 0.88, "c": 0.86}
    first = list(zip(*(said(name, skill, 1) for name, skill in skills.items()), strict=True))
    second = list(zip(*(said(name, skill + after, 2) for name, skill in skills.items()), strict=True))
    evidence = [evidence_for(TASK.names[truth]) for truth in labels]
    return Readings(first, second, evidence, labels, None, "a test")


@pytest.fixture(scope="module")
def arbiter():
    return fit_arbiter(TASK, ("a", "b", "c"), calibration(seed=1), Policy(max_share=0.4), QUICK)


def seats(arbiter, *agents, evidence=None, timeout=5.0):
    found = ScriptedRetriever(evidence or evidence_for("rust"))
    return Seats({agent.name: agent for agent in agents}, found, arbiter, agent_timeout_s=timeout)


def sure(name, label="rust", then=None):
    shares = [0.9 if n == label else 0.05 for n in TASK.names]
    later = None if then is None else opinion(name, *[0.9 if n == then else 0.05 for n in TASK.names], round=2)
    return SecondThoughts(name, opinion(name, *shares), then_says=later)


async def test_an_agreeing_panel_commits_without_a_second_look(arbiter):
    agents = [sure("a"), sure("b"), sure("c")]
    verdict = await diagnose(CASE, seats(arbiter, *agents))
    assert verdict.label == "rust"
    assert verdict.decision.action == "commit"
    assert verdict.second_look is None
    assert all(not agent.shown for agent in agents)
    assert sum(verdict.posterior.values()) == pytest.approx(1)
    assert all(0 < moved < 1 for moved in verdict.influence.values())
    assert "rust" in verdict.prediction_set
    assert verdict.track is not None


async def test_a_disagreeing_panel_looks_again_once_with_the_evidence(arbiter):
    agents = [sure("a"), sure("b", "scab", then="rust"), sure("c", "scab", then="rust")]
    verdict = await diagnose(CASE, seats(arbiter, *agents))
    assert verdict.second_look is not None
    assert verdict.second_look.rounds == 2
    assert any(reason.startswith("disagreement") for reason in verdict.second_look.reasons)
    assert [len(agent.shown) for agent in agents] == [1, 1, 1]
    assert agents[0].shown[0].label == "rust"
    moved = {c.agent: (c.before, c.after) for c in verdict.second_look.changes if c.moved}
    assert moved == {"b": ("scab", "rust"), "c": ("scab", "rust")}
    assert verdict.label == "rust"
    assert verdict.posterior["rust"] > verdict.second_look.before["rust"]


async def test_evidence_against_the_panel_is_a_reason_only_in_doubt(arbiter):
    against = evidence_for("scab")
    surely = await diagnose(CASE, seats(arbiter, sure("a"), sure("b"), sure("c"), evidence=against))
    assert surely.second_look is None
    split = [sure("a"), sure("b", "healthy"), sure("c", "healthy")]
    verdict = await diagnose(CASE, seats(arbiter, *split, evidence=against))
    assert verdict.second_look is not None
    assert verdict.second_look.reasons[0].startswith("in doubt")
    assert "the similar cases say scab" in verdict.second_look.reasons


async def test_failing_and_late_agents_degrade_the_panel_and_the_verdict_says_so(arbiter):
    agents = [sure("a"), ScriptedAgent("b", ValueError("no JSON")), ScriptedAgent("c", opinion("c", 1, 0, 0), delay=9)]
    verdict = await diagnose(CASE, seats(arbiter, *agents, timeout=1.0))
    causes = {(a.agent, a.cause) for a in verdict.abstentions if a.round == 1}
    assert causes == {("b", "failure"), ("c", "timeout")}
    assert "ValueError: no JSON" in {a.detail for a in verdict.abstentions}
    assert set(verdict.influence) == {"a"}
    assert "b, c gave no answer, so the panel is incomplete" in verdict.warnings
    assert verdict.label == "rust"


async def test_a_panel_where_nobody_answers_refers(arbiter):
    silent = [ScriptedAgent(n, Abstention(agent=n, cause="image", detail="corrupt")) for n in "abc"]
    verdict = await diagnose(CASE, seats(arbiter, *silent))
    assert verdict.decision.action == "refer"
    assert verdict.posterior == {}
    assert verdict.prediction_set == TASK.names


async def test_a_failed_retrieval_does_not_stop_the_panel(arbiter):
    nothing = Evidence(neighbours=(), failure="the store is closed")
    verdict = await diagnose(CASE, seats(arbiter, sure("a"), sure("b"), sure("c"), evidence=nothing))
    assert verdict.decision.action == "commit"
    assert verdict.evidence.failure == "the store is closed"


async def test_agents_that_cannot_look_again_are_not_asked_to():
    once = calibration()
    learned = fit_arbiter(TASK, ("a", "b", "c"), replace(once, second=once.first), Policy(), QUICK)
    assert learned.second is None
    agents = [ScriptedAgent(n, opinion(n, 0.4, 0.35, 0.25)) for n in "abc"]
    verdict = await diagnose(CASE, seats(learned, *agents))
    assert verdict.second_look is None
    assert [len(agent.asked) for agent in agents] == [1, 1, 1]


async def test_an_arbiter_that_knows_second_looks_opens_none_where_nobody_can_take_one(arbiter):
    able = [sure("a"), sure("b", "healthy"), sure("c", "healthy")]
    unable = [ScriptedAgent(agent.name, agent.says) for agent in able]
    assert (await diagnose(CASE, seats(arbiter, *able))).second_look is not None
    assert (await diagnose(CASE, seats(arbiter, *unable))).second_look is None


async def test_an_opinion_of_another_source_is_left_out_not_miscalibrated(arbiter):
    verbal = ScriptedAgent("c", opinion("c", 0.0, 0.0, 1.0, source="verbalized"))
    verdict = await diagnose(CASE, seats(arbiter, sure("a"), sure("b"), verbal))
    assert "c" not in verdict.influence
    assert "not counted, because such answers were never calibrated: c" in verdict.warnings


def test_second_answers_that_mislead_switch_the_second_look_off():
    """A dozen doubtful cases may be misread, so in nearly every draw; what is kept otherwise saves next to nothing."""
    fits = [
        fit_arbiter(TASK, ("a", "b", "c"), calibration(better_second=False, seed=seed), Policy(), QUICK)
        for seed in range(4)
    ]
    off = [fit for fit in fits if fit.second is None]
    assert len(off) >= 3
    assert all({p.round for p in fit.profiles} == {1} for fit in off)
    assert all(fit.policy.looking is None or fit.policy.looking.saves < 0.1 for fit in fits)


def test_two_rounds_meet_in_their_geometric_mean():
    one, two = np.array([[0.8, 0.1, 0.1]]), np.array([[0.2, 0.4, 0.4]])
    # roots of .16, .04, .04 are .4, .2, .2
    assert combine([one, two])[0] == pytest.approx([0.5, 0.25, 0.25])
    assert combine([one])[0] == pytest.approx(one[0])


async def test_an_arbiter_survives_json(arbiter):
    again = type(arbiter).load(arbiter.dump(), arbiter.profiles)
    agents = [sure("a"), sure("b", "scab", then="rust"), sure("c", "healthy")]
    one, two = await diagnose(CASE, seats(arbiter, *agents)), await diagnose(CASE, seats(again, *agents))
    assert one.posterior == pytest.approx(two.posterior)
    assert one.prediction_set == two.prediction_set
    assert one.track == two.track
