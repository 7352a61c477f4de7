"""Who reads on the panel, and what is known of those who do."""

from dataclasses import replace

import numpy as np
import pytest
from kit import TASK, ScriptedAgent, ScriptedRetriever, case_of, evidence_for, opinion
from scripts_kit import QUICK, Script, panel, readings

from doubleread.core.opinion import Abstention
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.graph import diagnose
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.course.rounds import surest_opinions
from doubleread.orchestrator.course.seats import Seats
from doubleread.orchestrator.learning.arbitration import fit_arbiter

ONCE = Policy(max_rounds=1)


def chance(n, seed=0):
    """Readings of a good reader and of one that is right on a third of three labels, and sure of itself."""
    said, rng = readings({"good": Script(0.9), "guess": Script(0.9)}, n, seed), np.random.default_rng(seed)

    def guess():
        shares = np.full(3, 0.02)
        shares[rng.integers(3)] = 0.96
        return opinion("guess", *shares)

    return replace(said, first=[[good, guess()] for good, _ in said.first], second=[])


def fitted(n=150, seed=0):
    said = chance(n, seed)
    said = replace(said, second=said.first)
    return fit_arbiter(TASK, ("good", "guess"), said, ONCE, QUICK)


@pytest.mark.parametrize("seed", range(4))
def test_an_agent_no_better_than_chance_is_named_and_left_out(seed):
    found = fitted(seed=seed)
    assert found.left_out == ("guess",)
    assert any(line.startswith("guess is left out and not asked: ") for line in found.warnings)
    assert found.profile("guess").accuracy.value < 0.5  # what is known of it is kept
    assert found.profile("guess").influence is None
    assert Arbiter.load(found.dump(), found.profiles).left_out == ("guess",)


async def test_it_is_not_asked_so_its_calls_are_saved():
    good = ScriptedAgent("good", opinion("good", 0.02, 0.96, 0.02))
    guess = ScriptedAgent("guess", opinion("guess", 0.96, 0.02, 0.02))
    seats = Seats({"good": good, "guess": guess}, ScriptedRetriever(evidence_for("rust", similarity=0.8)), fitted())
    verdict = await diagnose(case_of("x"), seats)
    assert (len(good.asked), len(guess.asked)) == (1, 0)
    assert set(verdict.influence) == {"good"}
    assert verdict.warnings == ()  # nobody is missing


def test_few_cases_leave_nobody_out():
    assert fitted(n=12).left_out == ()


def test_where_nobody_is_better_than_chance_all_stay():
    said = chance(150)
    said = replace(said, first=[[guess.model_copy(update={"agent": "good"}), guess] for _, guess in said.first])
    found = fit_arbiter(TASK, ("good", "guess"), replace(said, second=said.first), ONCE, QUICK)
    assert len(found.left_out) < 2


def test_profiles_say_how_far_an_agent_moves_the_panel_and_what_that_is_worth():
    found = panel({"a": Script(0.9), "b": Script(0.7)}, policy=ONCE)
    a, b = found.profile("a"), found.profile("b")
    assert 0 < b.influence.value < a.influence.value < 1
    assert a.benefit.low > 0
    assert a.influence.low <= a.influence.value <= a.influence.high
    assert found.profile("panel").influence is None


def test_a_verdict_says_how_far_each_agent_moves_it():
    found = panel({"a": Script(0.9), "b": Script(0.7)}, policy=ONCE)
    said = {"a": opinion("a", 0.1, 0.8, 0.1), "b": opinion("b", 0.7, 0.2, 0.1)}
    near = evidence_for("rust", similarity=0.8)
    whole = found.assess(said, said, near, round_=1)
    alone = found.assess({"a": said["a"]}, {"a": said["a"]}, near, round_=1)
    moved = sum(abs(whole.scores[name] - alone.scores[name]) for name in TASK.names) / 2
    assert whole.influence["b"] == pytest.approx(moved)
    prior = 1 / 3
    assert alone.influence["a"] == pytest.approx(sum(abs(p - prior) for p in alone.scores.values()) / 2)


PAIR = panel({"a": Script(0.97), "b": Script(0.95)}, policy=ONCE)


def assess(**said):
    return PAIR.assess(said, said, evidence_for("rust", similarity=0.8), round_=1)


def test_what_would_change_with_a_missing_reader_is_referred():
    fair = opinion("a", 0.1, 0.8, 0.1)
    assert assess(a=fair, b=opinion("b", 0.02, 0.95, 0.03)).decision.action == "commit"
    failed = assess(a=fair, b=Abstention(agent="b", cause="timeout"))
    assert failed.decision.action == "refer"
    assert failed.decision.reasons[0] == "b gave no answer, and might have changed this decision"
    assert "b gave no answer, so the panel is incomplete" in failed.warnings
    assert assess(a=fair).decision.action == "commit"  # nobody was asked but a: a question put by hand


def test_a_commitment_that_would_stand_whatever_the_missing_reader_said_stands():
    found = assess(a=opinion("a", 0.002, 0.996, 0.002), b=Abstention(agent="b", cause="timeout"))
    assert found.decision.action == "commit"
    assert "b gave no answer, so the panel is incomplete" in found.warnings


def test_a_missing_reader_never_makes_the_panel_bolder():
    """Of a hundred cases, each with one reader struck out: what is committed then, is committed with it as well."""
    said = readings({"a": Script(0.9), "b": Script(0.85)}, 100, seed=5)
    bold = 0
    for (a, b), evidence in zip(said.first, said.evidence, strict=True):
        whole = PAIR.assess({"a": a, "b": b}, {"a": a, "b": b}, evidence, round_=1)
        gone = {"a": a, "b": Abstention(agent="b", cause="failure")}
        missing = PAIR.assess(gone, gone, evidence, round_=1)
        if missing.decision.action == "commit":
            assert whole.decision.label == missing.decision.label
        bold += missing.decision.action == "commit" and whole.decision.action != "commit"
    assert bold == 0


def test_the_surest_opinion_for_each_label():
    raw = np.array([[[0.7, 0.3]], [[0.2, 0.8]], [[np.nan, np.nan]], [[0.9, 0.1]]])
    assert surest_opinions(raw).tolist() == [[[0.9, 0.1], [0.2, 0.8]]]
    assert np.isnan(surest_opinions(np.full((2, 1, 2), np.nan))).all()
