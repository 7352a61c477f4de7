"""Whom to ask further, learned from scripted answers."""

from dataclasses import replace

import numpy as np
import pytest
from kit import TASK
from scripts_kit import QUICK, Script, panel, readings

from doubleread.core.opinion import Abstention
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.gates.gate import doubts
from doubleread.orchestrator.gates.second_look import OFF
from doubleread.orchestrator.learning.arbitration import fit_arbiter

LOOKS = Policy(max_share=0.4)
CASCADE = Policy(max_rounds=1, ask_share=0.3)
HELPS = {"a": Script(0.7, then=0.97), "b": Script(0.65, then=0.95)}


def test_second_answers_that_help_are_asked_for_on_the_doubtful_cases():
    found = panel(HELPS, policy=LOOKS)
    assert found.policy.looking.agents == ("a", "b")
    assert found.policy.looking.saves > 0.3
    assert {p.round for p in found.profiles if p.agent == "a"} == {1, 2}


def test_an_agent_whose_second_answers_harm_is_not_asked_again():
    found = panel({"a": Script(0.7, then=0.97), "b": Script(0.75, then=0.0)}, policy=LOOKS)
    assert found.policy.looking.agents == ("a",)
    assert not found.looks_again("b")
    assert "no second look by these agents, whose second answers did not clearly help: b" in found.notes
    assert [p.round for p in found.profiles if p.agent == "b"] == [1]


def test_a_second_look_that_costs_more_than_it_can_save_is_not_taken():
    dear = {name: replace(script, usd=0.5) for name, script in HELPS.items()}
    assert panel(dear, policy=LOOKS).second is None
    assert panel(dear, policy=LOOKS.model_copy(update={"error_usd": 1000.0})).second is not None


def test_waiting_has_a_price_too():
    assert panel(HELPS, policy=LOOKS.model_copy(update={"hour_usd": 3600.0})).second is None  # a dollar a second


def test_it_is_off_where_it_does_not_pay():
    found = panel({"a": Script(0.9, then=0.2), "b": Script(0.85, then=0.2)}, policy=LOOKS)
    assert found.second is None
    assert found.policy.looking is None
    assert any(note.startswith(OFF) for note in found.notes)


def test_one_round_means_one_round():
    found = panel(HELPS, policy=LOOKS.model_copy(update={"max_rounds": 1}))
    assert found.second is None
    assert not any(note.startswith(OFF) for note in found.notes)


def test_cases_without_second_answers_are_not_counted_as_looked_at():
    whole = readings(HELPS, 120)
    nobody = [Abstention(agent=name, cause="not-recorded") for name in HELPS]
    some = replace(whole, second=[row if i % 2 else nobody for i, row in enumerate(whole.second)])
    found = fit_arbiter(TASK, tuple(HELPS), some, LOOKS, QUICK)
    assert found.profile("a", 2).n == 60
    assert found.profile("a", 2).abstained == 0
    untaken = found.held_out.posterior[::2]
    assert untaken == pytest.approx(found.first.held_out[::2])


def test_an_answer_that_was_not_given_again_does_not_count_twice():
    """Of two agents one was asked again on half the cases: there its first answer is no second one."""
    whole = readings(HELPS, 120)
    half = [[s, f if i % 2 else t] for i, ((s, t), (_, f)) in enumerate(zip(whole.second, whole.first, strict=True))]
    found = fit_arbiter(TASK, tuple(HELPS), replace(whole, second=half), LOOKS, QUICK)
    assert (found.profile("a", 2).n, found.profile("b", 2).n) == (120, 60)


def test_the_agents_that_cost_money_are_spared_on_sure_cases():
    found = panel({"free": Script(0.85), "dear": Script(0.97, usd=0.001)}, policy=CASCADE)
    gate = found.policy.asking
    assert gate.agents == ("dear",)
    opened = gate.open_on(found.local.held_out, TASK)
    assert 0 < opened.mean() <= 0.3
    doubt = doubts(TASK, found.local.held_out)
    assert doubt[opened].min() > doubt[~opened].max()
    assert found.held_out.posterior[~opened] == pytest.approx(found.local.held_out[~opened])
    assert found.held_out.posterior[opened] == pytest.approx(found.first.held_out[opened])
    assert any(note.startswith("dear asked on") for note in found.notes)


def test_an_unknown_price_counts_as_dear_and_a_trifle_as_free():
    found = panel({"free": Script(0.85, usd=1e-5), "unknown": Script(0.95, usd=None)}, policy=CASCADE)
    assert found.policy.asking.agents == ("unknown",)


@pytest.mark.parametrize("usd", [0.0, 0.01], ids=["nobody costs anything", "everybody does"])
def test_without_both_kinds_everyone_is_asked_at_once(usd):
    found = panel({"a": Script(0.85, usd=usd), "b": Script(0.9, usd=usd)}, 60, policy=CASCADE)
    assert found.policy.asking is None
    assert found.local is None


def test_the_share_of_second_looks_stays_within_the_budget_on_new_cases():
    policy = Policy(max_share=0.2)
    shares = []
    for seed in range(4):
        found = panel(HELPS, policy=policy, seed=seed)
        fresh = readings(HELPS, 300, seed=100 + seed)
        raw = np.array([[answer.vector(TASK) for answer in row] for row in fresh.first])
        shares.append(found.policy.looking.open_on(found.first.fuse(raw), TASK).mean())
    assert np.mean(shares) <= 0.2 + 3 * np.sqrt(0.16 / 120 / 4)


def test_second_looks_of_a_cascade_are_judged_without_the_answers_it_spares():
    """Nobody may be asked for money, so nothing may rest on what the agent that costs it would have said."""
    scripts = {"free": Script(0.8, then=0.95), "dear": Script(0.99, then=0.99, usd=0.001)}
    policy, true = Policy(max_share=0.4, ask_share=0.0), readings(scripts, 120)
    lies = {"label": "rust", "probabilities": {"healthy": 0.1, "rust": 0.8, "scab": 0.1}}

    def told(rows):
        return [[free, dear.model_copy(update=lies) if i % 4 == 0 else dear] for i, (free, dear) in enumerate(rows)]

    false = replace(true, first=told(true.first), second=told(true.second))
    votes = replace(QUICK, rule="confidence-weighted")  # a rule that learns nothing from the other agent's answers
    one, other = (fit_arbiter(TASK, tuple(scripts), said, policy, votes) for said in (true, false))
    assert one.policy.looking.agents == ("free",)
    assert one.held_out.posterior == pytest.approx(other.held_out.posterior)
    assert one.sets == other.sets
