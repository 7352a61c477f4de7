"""When asking further is worth it: hand-worked figures, and the budget's promise by simulation."""

import numpy as np
import pytest

from doubleread.core.task import Costs, Task
from doubleread.orchestrator.gates.gate import NEVER, Gate, decision_costs, doubt_of_share, doubts, saving

AB = Task.of("ab", ["a", "b"])  # an error costs 1, a referral .2
UNEVEN = Task(id="uneven", labels=AB.labels, costs=Costs(referral=0.5, matrix={"b": {"a": 4.0}}))


def gate(**changed):
    fields = {"agents": ("x",), "saves": 0.5, "price": 0.04, "doubt": 0.05, "referral": 0.2, "n": 100}
    return Gate(**{**fields, **changed})


def test_doubt_is_the_expected_cost_of_the_best_label():
    posterior = np.array([[0.9, 0.1], [0.3, 0.7], [0.5, 0.5]])
    assert doubts(AB, posterior) == pytest.approx([0.1, 0.3, 0.5])
    # "a" would cost .1 × 4 = .4, "b" .9 × 1; then 2.8 against .3; then 2 against .5
    assert doubts(UNEVEN, posterior) == pytest.approx([0.4, 0.3, 0.5])


def test_a_decision_costs_what_it_came_to():
    posterior = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    # right, wrong, referred (.4 > .2), and .2, which is no more than a referral: committed and wrong
    assert decision_costs(AB, posterior, np.array([0, 1, 0, 0])) == pytest.approx([0, 1, 0.2, 1])


def test_what_is_saved_is_a_ratio_of_sums_shrunk_towards_what_was_expected():
    before = np.array([[0.6, 0.4], [0.6, 0.4], [0.95, 0.05]])
    after = np.array([[0.95, 0.05], [0.05, 0.95], [0.95, 0.05]])
    labels = np.array([0, 1, 0])
    # at stake .2 + .2 + .05, saved .2 + .2 + 0; the prior adds .15 to .5
    assert saving(AB, before, after, labels) == pytest.approx((0.4 + 0.15) / (0.45 + 0.5))
    nothing = np.empty((0, 2))
    assert saving(AB, nothing, nothing, np.array([], dtype=np.int64)) == pytest.approx(0.3)


def test_asking_that_does_harm_saves_nothing():
    before, after = np.array([[0.95, 0.05]]), np.array([[0.05, 0.95]])
    assert saving(AB, before, after, np.array([0])) == 0  # (-1 + .15) / (.05 + .5)


def test_it_opens_where_what_is_saved_exceeds_the_price_on_the_most_doubtful_cases_only():
    assert gate().worth(0.1) == pytest.approx(0.05)
    assert gate().worth(0.6) == pytest.approx(0.1)  # no more than a referral is at stake
    assert gate().opens(0.1)
    assert not gate().opens(0.07)  # saves .035 for .04
    assert not gate(price=0.0).opens(0.05)  # free, but not among the most doubtful
    assert not gate(price=0.2).opens(1.0)
    posterior = np.array([[0.9, 0.1], [0.99, 0.01], [0.5, 0.5]])
    assert gate().open_on(posterior, AB).tolist() == [True, False, True]


def test_the_doubt_that_a_share_exceeds():
    doubt = np.array([0.1, 0.5, 0.3, 0.2])
    assert doubt_of_share(doubt, 0.4) == 0.3  # the second largest of four: a fifth case exceeds it two times in five
    assert doubt_of_share(doubt, 0.1) == NEVER  # four cases can promise no less than a fifth
    assert doubt_of_share(doubt, 1.0) < 0
    assert doubt_of_share(np.array([]), 0.1) == NEVER
    assert not gate(doubt=doubt_of_share(doubt, 0.0), price=0.0).opens(50.0)


@pytest.mark.parametrize(("n", "share"), [(9, 0.1), (30, 0.12), (57, 0.25)])
def test_new_cases_exceed_it_no_more_often_than_promised(n, share):
    rng = np.random.default_rng(n)
    trials = 4000
    over = [rng.random() > doubt_of_share(rng.random(n), share) for _ in range(trials)]
    allowed = np.floor(share * (n + 1)) / (n + 1)
    spread = 3 * np.sqrt(share * (1 - share) / trials)
    assert np.mean(over) <= share + spread
    assert np.mean(over) == pytest.approx(allowed, abs=spread)


def test_ties_stay_within_the_budget():
    rng = np.random.default_rng(0)
    draws = rng.integers(3, size=(4000, 20)) / 10
    over = [row[-1] > doubt_of_share(row[:-1], 0.2) for row in draws]
    assert np.mean(over) <= 0.2 + 3 * np.sqrt(0.16 / 4000)


def test_it_learns_from_both_outcomes_and_travels_as_json():
    before = np.array([[0.6, 0.4], [0.95, 0.05], [0.9, 0.1]])
    after = np.array([[0.95, 0.05], [0.95, 0.05], [0.9, 0.1]])
    labels = np.array([0, 0, 0])
    found = Gate.fit(AB, ["x", "y"], before, after, labels, price=0.01, max_share=0.5)
    assert (found.agents, found.n, found.price, found.referral) == (("x", "y"), 3, 0.01, 0.2)
    assert found.saves == pytest.approx(saving(AB, before, after, labels))
    assert found.doubt == pytest.approx(0.1)
    assert Gate.model_validate_json(found.model_dump_json()) == found
