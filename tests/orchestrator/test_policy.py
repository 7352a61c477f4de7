"""Gates and decisions, with hand-worked numbers."""

import numpy as np
import pytest
from kit import TASK, evidence_for

from doubleread.core.task import Costs, Task
from doubleread.orchestrator.policy import Policy, decide, second_look_reasons

SURE = np.array([0.97, 0.02, 0.01])
AGREE = {"a": "healthy", "b": "healthy", "c": "healthy"}
EVEN = {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}


def reasons(posterior=SURE, votes=AGREE, weights=EVEN, evidence=None, **policy):
    found = second_look_reasons(TASK, np.array(posterior), votes, weights, evidence, Policy(**policy))
    return [reason.split(":")[0] for reason in found]


def test_a_sure_and_agreed_case_is_not_looked_at_again():
    assert reasons(evidence=evidence_for("healthy")) == []


def test_dissent_counts_by_weight():
    votes = {**AGREE, "c": "scab"}
    assert reasons(votes=votes) == []  # a third of the weight is below the gate of .34
    assert reasons(votes=votes, weights={"a": 0.3, "b": 0.3, "c": 0.4}) == ["disagreement"]


def test_low_margin():
    assert reasons(posterior=[0.85, 0.14, 0.01]) == ["low margin"]  # .71 < .8
    assert reasons(posterior=[0.91, 0.08, 0.01]) == []


def test_evidence_against_the_panel_is_suspicious_only_where_it_is_clear():
    assert reasons(evidence=evidence_for("rust", margin=0.6)) == ["evidence against"]
    assert reasons(evidence=evidence_for("rust", margin=0.4)) == []


def test_an_unfamiliar_case_is_suspicious():
    far = evidence_for("healthy", similarity=0.4)
    assert reasons(evidence=far, familiar_similarity=0.6) == ["unfamiliar"]
    assert reasons(evidence=far) == []


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
