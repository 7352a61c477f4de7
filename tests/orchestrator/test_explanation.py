"""An account of a verdict: faithful to its numbers, and to what would have been."""

from dataclasses import replace

import numpy as np
import pytest
from kit import TASK, ScriptedAgent, ScriptedRetriever, SecondThoughts, case_of, evidence_for, opinion

from doubleread.core.opinion import Abstention
from doubleread.core.verdict_wording import in_points
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.seats import Seats
from doubleread.orchestrator.explanation.counterfactual import what_if
from doubleread.orchestrator.explanation.influence import explain
from doubleread.orchestrator.learning.arbitration import Learning, Readings, fit_arbiter
from doubleread.orchestrator.trust.panel_members import left_out

CASE = case_of("leaf")
SKILLS = {"a": 0.95, "b": 0.7, "c": 0.7}


@pytest.fixture(scope="module")
def readings():
    rng, labels = np.random.default_rng(0), np.arange(120) % 3

    def said(name, truth, skill, turn):
        shares = np.full(3, 0.1)
        shares[truth if rng.random() < skill else (truth + 1) % 3] = 0.8
        return opinion(name, *shares, round=turn)

    rounds = [
        [[said(n, t, s + extra, turn) for n, s in SKILLS.items()] for t in labels]
        for turn, extra in ((1, 0), (2, 0.05))
    ]
    evidence = [evidence_for(TASK.names[t]) for t in labels]
    return Readings(*rounds, evidence, labels, None, "a test")


@pytest.fixture(scope="module")
def arbiter(readings):
    return fit_arbiter(TASK, tuple(SKILLS), readings, Policy(), Learning())


async def verdict_on(arbiter, *agents, evidence="rust"):
    return await diagnose(CASE, Seats({a.name: a for a in agents}, ScriptedRetriever(evidence_for(evidence)), arbiter))


def sure(name, label, then=None):
    shares = {False: 0.05, True: 0.9}
    later = opinion(name, *(shares[n == then] for n in TASK.names), round=2) if then else None
    return SecondThoughts(name, opinion(name, *(shares[n == label] for n in TASK.names)), then_says=later)


async def test_it_says_who_said_what_and_how_far_each_is_trusted(arbiter):
    verdict = await verdict_on(arbiter, sure("a", "rust"), sure("b", "rust"), sure("c", "rust"))
    told = explain(verdict, arbiter)
    line = next(line for line in told.lines if line.startswith("a says"))
    profile = arbiter.profile("a")
    k = TASK.index("rust")
    assert f"a says rust: 90% before calibration, {verdict.calibrated['a']['rust']:.0%} calibrated" in line
    assert f"right on {profile.accuracy.value:.0%} of 120 calibration images" in line
    assert f"on {profile.confusion[k][k]} of the {sum(row[k] for row in profile.confusion)} that it called rust" in line
    assert f"influence {in_points(verdict.influence['a'])}" in line
    assert "similar cases: 5 of the 5 most similar labelled images are rust" in "\n".join(told.lines)
    assert any(line.startswith("leaving out one agent does not change the verdict") for line in told.lines)
    assert [one.changes for one in told.without] == [False, False, False]


async def test_what_would_have_been_without_an_agent_is_what_the_panel_would_have_said(arbiter):
    agents = [sure("a", "scab"), sure("b", "rust"), sure("c", "rust")]
    verdict = await verdict_on(arbiter, *agents, evidence="rust")
    told = explain(verdict, arbiter)
    for one in told.without:
        first = {o.agent: o for o in verdict.opinions if o.round == 1 and o.agent != one.agent}
        last = {o.agent: o for o in sorted(verdict.opinions, key=lambda o: o.round) if o.agent != one.agent}
        rounds = verdict.second_look.rounds if verdict.second_look else 1
        found = arbiter.assess(first, last, verdict.evidence, round_=rounds)
        assert one.confidence == max(found.posterior.values())
        assert found.posterior[one.label] == one.confidence
        assert one.changes == (one.label != verdict.label or one.action != verdict.decision.action)
    turning = [one.agent for one in told.without if one.changes]
    assert turning
    assert all(any(line.startswith(f"without {agent}, the panel would") for line in told.lines) for agent in turning)


async def test_the_second_look_and_the_silent_are_accounted_for(arbiter):
    silent = ScriptedAgent("c", Abstention(agent="c", cause="timeout"))
    verdict = await verdict_on(arbiter, sure("a", "scab", then="rust"), sure("b", "rust"), silent)
    told = "\n".join(explain(verdict, arbiter).lines)
    assert "second look (" in told
    assert "a changed from scab to rust" in told
    assert "c gave no answer (timeout) and was left out" in told


async def test_the_same_verdict_is_explained_the_same_way(arbiter):
    verdict = await verdict_on(arbiter, sure("a", "scab"), sure("b", "rust"), sure("c", "rust"))
    again = type(verdict).model_validate_json(verdict.model_dump_json())
    assert explain(verdict, arbiter) == explain(again, arbiter)


async def test_where_nobody_spoke_there_is_little_to_say(arbiter):
    silent = [ScriptedAgent(n, Abstention(agent=n, cause="network")) for n in SKILLS]
    told = explain(await verdict_on(arbiter, *silent), arbiter)
    assert told.without == ()
    assert "decision: no agent gave a usable answer" in told.lines


async def test_a_panel_of_one_knows_that_it_is_one(arbiter):
    silent = [ScriptedAgent(n, Abstention(agent=n, cause="network")) for n in ("b", "c")]
    told = explain(await verdict_on(arbiter, sure("a", "rust"), *silent), arbiter)
    assert "without a, the panel would refer: no other agent gave an answer" in told.lines


async def test_it_says_from_which_cost_and_prevalence_on_the_verdict_would_be_another(arbiter):
    verdict = await verdict_on(arbiter, sure("a", "scab"), sure("b", "rust"), sure("c", "rust"))
    told = explain(verdict, arbiter)
    assert [point.of for point in told.turning_points][:2] == ["referral", "error"]
    assert {point.of for point in told.turning_points[2:]} == {"prevalence"}
    assert set(told.lines) >= {point.line for point in told.turning_points}
    # Forty calibration cases of each label: without a stated prior, that is what the posterior holds under.
    assert [point.now for point in told.turning_points[2:]] == pytest.approx([1 / 3] * len(told.turning_points[2:]))
    same = what_if(verdict, arbiter)
    assert same.posterior == pytest.approx(verdict.posterior)
    assert same.decision == verdict.decision
    assert not same.changes


async def test_a_posterior_at_another_prevalence_is_that_of_a_panel_fitted_for_it(readings):
    elsewhere = TASK.model_copy(update={"prior": {"healthy": 0.7, "rust": 0.1, "scab": 0.2}})
    one_look, learning = Policy(max_rounds=1), Learning(rule="log-pool")
    here, there = (fit_arbiter(task, tuple(SKILLS), readings, one_look, learning) for task in (TASK, elsewhere))
    agents = [sure("a", "scab"), sure("b", "rust"), sure("c", "scab")]
    moved = what_if(await verdict_on(here, *agents), here, prevalence=elsewhere.prior)
    fitted = await verdict_on(there, *agents)
    # But for the share of doubt, half a case of 121, that goes back to the prior after the shift instead of before.
    assert moved.posterior == pytest.approx(fitted.posterior, abs=0.01)
    assert moved.prevalence == pytest.approx(elsewhere.prior)


async def test_p_values_and_the_set_are_part_of_the_account(arbiter):
    verdict = await verdict_on(arbiter, *(sure(name, "rust") for name in SKILLS))
    told = "\n".join(explain(verdict, arbiter).lines)
    assert f"rust {verdict.p_values['rust']:.3f}" in told
    assert f"prediction set at {verdict.coverage:.0%} (labels that cannot be ruled out)" in told
    nothing = explain(verdict.model_copy(update={"prediction_set": ()}), arbiter)
    assert any(line.startswith("no label is in the prediction set at") for line in nothing.lines)


async def test_an_agent_that_fitting_left_out_is_named_with_the_reason(arbiter):
    notes = (
        "b is left out and not asked: on the calibration cases it is no better than chance (gain in log-loss -0.001)",
        "c is left out and not asked: the panel is better without it (gain in log-loss +0.020 ± 0.010)",
    )
    fewer = replace(arbiter, left_out=("b", "c"), notes=notes)
    assert left_out(fewer) == {"b": "no better than chance", "c": "the panel is better without it"}
    verdict = await verdict_on(arbiter, sure("a", "rust"))
    assert "b was not asked: no better than chance" in explain(verdict, fewer).lines
