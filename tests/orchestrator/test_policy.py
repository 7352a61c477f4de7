"""Reasons to ask further and decisions, with hand-worked numbers."""

import numpy as np
import pytest
from kit import TASK, evidence_for

from doubleread.core.task import Costs, Task
from doubleread.orchestrator.course.policy import Policy, decide, disagreements, reasons_to_ask, refer_instead
from doubleread.orchestrator.gates.gate import Gate

AGREE = {"a": "healthy", "b": "healthy", "c": "healthy"}
GATE = Gate(agents=("a", "b"), saves=0.5, price=0.02, doubt=0.05, referral=0.2, n=100)


def reasons(posterior, votes=AGREE, evidence=None, gate=GATE):
    return reasons_to_ask(gate, "a second look", TASK, np.array(posterior), votes, evidence)


def test_a_sure_case_is_not_asked_about_whatever_anyone_says_of_it():
    dissent = {**AGREE, "c": "scab"}
    assert reasons([0.97, 0.02, 0.01], dissent, evidence_for("rust")) == ()


def test_without_a_gate_nothing_is_asked():
    assert reasons([0.4, 0.3, 0.3], gate=None) == ()


def test_a_doubtful_case_is_asked_about_with_what_that_saves_and_costs():
    [reason] = reasons([0.9, 0.08, 0.02])  # doubt .1: half of it is saved
    assert reason == "in doubt: healthy at 90.0%; a second look saves 0.050 of an error in expectation and costs 0.0200"


def test_no_more_than_a_referral_is_at_stake():
    assert "saves 0.100 of an error" in reasons([0.4, 0.3, 0.3])[0]  # doubt .6, but a referral costs .2


def test_those_who_say_otherwise_are_named():
    votes = {"b": "scab", "a": "healthy", "c": "rust"}
    assert disagreements("healthy", votes, evidence_for("rust")) == (
        "disagreement: b says scab, c says rust",
        "the similar cases say rust",
    )
    assert disagreements("healthy", AGREE, evidence_for("healthy")) == ()
    assert disagreements("healthy", AGREE, None) == ()
    assert reasons([0.9, 0.08, 0.02], votes)[1] == "disagreement: b says scab, c says rust"


def test_money_and_waiting_are_priced_in_errors():
    assert Policy(error_usd=4.0).price(0.02, 900) == pytest.approx(0.005)
    assert Policy(error_usd=4.0, hour_usd=8.0).price(0.02, 900) == pytest.approx(0.505)  # a quarter of an hour is $2


def test_a_referral_replaces_only_a_commitment():
    commit = decide(TASK, np.array([0.97, 0.02, 0.01]))
    referred = refer_instead(TASK, commit, "unlike anything")
    assert (referred.action, referred.label, referred.expected_cost) == ("refer", None, TASK.costs.referral)
    assert referred.reasons == ("unlike anything", *commit.reasons)
    assert refer_instead(TASK, referred, "again") is referred


@pytest.mark.parametrize(("p", "action"), [(0.81, "commit"), (0.8, "commit"), (0.79, "refer")])
def test_commit_only_where_an_error_is_cheaper_than_a_referral(p, action):
    decision = decide(TASK, np.array([p, 1 - p, 0.0]))  # expected cost 1 - p, a referral costs .2
    assert decision.action == action
    assert decision.label == ("healthy" if action == "commit" else None)
    assert decision.expected_cost == pytest.approx(min(1 - p, 0.2))


def test_the_cost_matrix_decides_not_the_highest_probability():
    """Missing a disease costs 50: at 3 % the healthy label costs 1.5, the scab label .97."""
    task = Task(id="t", labels=TASK.labels, costs=Costs(referral=1.0, matrix={"scab": {"healthy": 50.0}}))
    decision = decide(task, np.array([0.97, 0.0, 0.03]))
    assert (decision.action, decision.label) == ("commit", "scab")
    assert decision.expected_cost == pytest.approx(0.97)
