"""Comparing trust: chance is seldom called a difference, and a difference is found."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import binom

from doubleread.core.errors import DataError
from doubleread.evals.trust_comparison import compare
from doubleread.orchestrator.metrics import shown_in
from doubleread.orchestrator.trust.grading import Graded

FIGURES = [metric.symbol for metric in shown_in("trust")]


def side(n, seed, *, sharp=1.0, skill=2.5, name="x", each=1):
    """A calibrated reader of three labels at ``sharp`` 1; ``each`` cases a group."""
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=n)
    logits = rng.normal(size=(n, 3))
    logits[np.arange(n), y] += skill
    p = np.exp(skill * sharp * logits)
    cases = tuple(f"{seed}-{i}" for i in range(n))
    groups = tuple(f"{seed}-{i // each}" for i in range(n))
    return Graded(cases, groups, y.astype(np.int64), {name: p / p.sum(axis=1, keepdims=True)})


def jittered(graded, seed, noise):
    rng = np.random.default_rng(seed)
    p = graded.readers["x"] * np.exp(noise * rng.normal(size=graded.readers["x"].shape))
    return Graded(graded.cases, graded.groups, graded.labels, {"x": p / p.sum(axis=1, keepdims=True)})


def changes(found):
    return {d.figure: d.change for d in found.differences}


def test_figures_of_both_sides_and_their_difference():
    one = side(60, 0, skill=1.2)
    two = Graded(one.cases, one.groups, one.labels, {"x": np.eye(3)[one.labels] * 0.97 + 0.01})
    found = compare(one, two, ("a", "b"), draws=200)
    assert (found.paired, found.first_n, found.second_n) == (True, 60, 60)
    accuracy, nll, *_ = found.differences
    assert accuracy.first == pytest.approx((one.readers["x"].argmax(axis=1) == one.labels).mean())
    assert accuracy.second == 1
    assert nll.second == pytest.approx(-np.log(0.98))
    assert accuracy.low <= accuracy.second - accuracy.first <= accuracy.high
    assert changes(found)["log-loss"] == changes(found)["accuracy"] == "better"
    back = compare(two, one, ("b", "a"), draws=200)
    assert changes(back)["log-loss"] == changes(back)["accuracy"] == "worse"


def test_order_does_not_matter_where_the_cases_are_the_same():
    one = side(60, 0)
    turned = one.rows(list(range(59, -1, -1)))
    found = compare(one, turned, ("a", "b"), draws=50)
    assert found.paired
    assert {(d.first == pytest.approx(d.second), d.change) for d in found.differences} == {(True, "same")}


def test_few_shared_cases_make_two_samples():
    one, two = side(60, 0), side(60, 1)
    assert not compare(one, two, ("a", "b"), draws=20).paired
    shared = one.rows(list(range(20))) + two
    assert not compare(one, shared, ("a", "b"), draws=20).paired
    most = one.rows(list(range(40))) + two.rows(list(range(10)))
    found = compare(one, most, ("a", "b"), draws=20)
    assert (found.paired, found.first_n) == (True, 40)


def test_an_agent_that_is_silent_on_one_side_is_left_out():
    one, two = side(30, 0), side(30, 1)
    mute = Graded(two.cases, two.groups, two.labels, {"x": np.full((30, 3), np.nan)})
    assert compare(one, mute, ("a", "b"), draws=20).differences == ()


def test_nothing_to_compare():
    with pytest.raises(DataError, match="no agent in common"):
        compare(side(9, 0), side(9, 1, name="y"), ("a", "b"))
    with pytest.raises(DataError, match="b has no case"):
        compare(side(9, 0), side(9, 1).rows([]), ("a", "b"))


def seldom(count, trials):
    return count <= binom.ppf(0.999, trials, 0.05)


@pytest.mark.parametrize("each", [1, 4])
def test_chance_is_seldom_called_a_difference_between_two_samples(each):
    """100 and 40 cases of one reader, 60 times; no figure is called different in more than about 5 %."""
    wrong = Counter()
    for seed in range(60):
        found = compare(side(100, 2 * seed, each=each), side(40, 2 * seed + 1, each=each), ("a", "b"), draws=200)
        wrong.update(d.figure for d in found.differences if d.change != "same")
    assert all(seldom(wrong[figure], 60) for figure in FIGURES), wrong


def test_chance_is_seldom_called_a_difference_on_the_same_cases():
    wrong = Counter()
    for seed in range(60):
        one = side(60, seed)
        found = compare(jittered(one, 2 * seed, 1), jittered(one, 2 * seed + 1, 1), ("a", "b"), draws=200)
        wrong.update(d.figure for d in found.differences if d.change != "same")
    assert all(seldom(wrong[figure], 60) for figure in FIGURES), wrong


def test_an_over_confident_version_is_found():
    """Sharpened threefold: as accurate, and worse in every probability."""
    found = compare(side(300, 0), side(300, 0, sharp=3), ("a", "b"), draws=200)
    assert changes(found) == {
        "accuracy": "same",
        "log-loss": "worse",
        "Brier": "worse",
        "ECE": "worse",
        "wrong and sure": "worse",
    }
