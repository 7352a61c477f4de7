"""What overrules a sure posterior, and what a verdict says of those who were not asked."""

from dataclasses import replace

import pytest
from kit import ScriptedAgent, ScriptedRetriever, case_of, evidence_for, opinion
from scripts_kit import QUICK, Script, panel

from doubleread.core.opinion import Abstention
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.seats import Seats

ONCE = Policy(max_rounds=1)
SURE = {"a": opinion("a", 0.02, 0.96, 0.02), "b": opinion("b", 0.02, 0.96, 0.02)}
PAIR = {"a": Script(0.95), "b": Script(0.9)}


@pytest.fixture(scope="module")
def pair():
    return panel(PAIR, policy=ONCE)


def assess(arbiter, said, similarity=0.8):
    near = evidence_for("rust", similarity=similarity)
    return arbiter.assess(said, said, near, round_=1, can_ask_more=True, can_look_again=True)


def test_an_image_unlike_any_other_is_referred_however_sure_the_panel_is(pair):
    near, far = assess(pair, SURE), assess(pair, SURE, similarity=-0.5)
    assert (near.decision.action, near.decision.label) == ("commit", "rust")
    assert not near.familiarity.alarm
    assert (far.posterior, far.calibrated, far.track, far.coverage) == ({}, {}, None, None)
    assert far.leaning == near.posterior
    assert far.scores["rust"] > 0.9
    assert far.familiarity.alarm
    assert (far.decision.action, far.decision.label) == ("refer", None)
    assert far.decision.reasons[0].startswith("unlike the calibration images")
    assert any(warning.startswith("unlike the calibration images") for warning in far.warnings)


def test_below_the_threshold_of_a_promised_risk_it_refers_though_cost_alone_would_commit():
    found = panel(PAIR, 240, policy=ONCE, learning=replace(QUICK, max_risk=0.05, risk_confidence=0.9))
    promise = found.selective
    assert promise.threshold is not None
    raised = replace(found, selective=promise.model_copy(update={"threshold": 0.999999}))
    assert assess(found, SURE).decision.action == "commit"
    referred = assess(raised, SURE).decision
    assert referred.action == "refer"
    assert referred.reasons[0].startswith("below 100.0%, from which on at most 5.0% of commitments are wrong")
    assert Arbiter.load(found.dump(), found.profiles).selective == promise


def test_a_risk_that_nothing_can_promise_refers_everything_and_says_why():
    found = panel(PAIR, 30, policy=ONCE, learning=replace(QUICK, max_risk=0.01, risk_confidence=0.95))
    decision = assess(found, SURE).decision
    assert decision.action == "refer"
    assert decision.reasons[0].startswith("no commitment can be promised: 30 held-out cases cannot promise")
    assert any("30 held-out cases cannot promise at most 1.0% wrong" in note for note in found.warnings)


async def test_a_verdict_names_those_who_were_spared_and_asks_them_in_doubt():
    scripts = {"free": Script(0.85), "dear": Script(0.97, usd=0.001), "rich": Script(0.97, usd=0.001)}
    arbiter = panel(scripts, policy=Policy(max_rounds=1, ask_share=0.3))

    async def verdict_on(*shares, dear=None):
        said = opinion("dear", 0.02, 0.96, 0.02) if dear is None else dear
        rich = opinion("rich", 0.02, 0.96, 0.02)
        agents = [ScriptedAgent("free", opinion("free", *shares)), ScriptedAgent("dear", said)]
        seats = [*agents, ScriptedAgent("rich", rich)]
        found = ScriptedRetriever(evidence_for("rust", similarity=0.8))
        return await diagnose(case_of("x"), Seats({one.name: one for one in seats}, found, arbiter)), seats

    sure, seats = await verdict_on(0.02, 0.96, 0.02)
    assert sure.spared == ("dear", "rich")
    assert [len(agent.asked) for agent in seats] == [1, 0, 0]
    assert set(sure.influence) == {"free"}
    doubtful, seats = await verdict_on(0.36, 0.34, 0.3)
    assert doubtful.spared == ()
    assert [len(agent.asked) for agent in seats] == [1, 1, 1]
    assert doubtful.label == "rust"
    silent, _ = await verdict_on(0.36, 0.34, 0.3, dear=Abstention(agent="dear", cause="timeout"))
    assert silent.spared == ()
    assert set(silent.influence) == {"free", "rich"}
    gone = {o.agent: o for o in doubtful.opinions if o.agent != "dear"}
    assert assess(arbiter, gone).influence == pytest.approx(silent.influence)  # asked, but without its answer
    again = Arbiter.load(arbiter.dump(), arbiter.profiles)
    assert again.policy == arbiter.policy
    assert assess(again, gone) == assess(arbiter, gone)
