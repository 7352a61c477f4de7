import numpy as np
import pytest

from doubleread.orchestrator.conformal import ConformalSets
from doubleread.orchestrator.conformal._sets import HeldOutScores
from doubleread.orchestrator.conformal.exchangeable import units_needed


def forecasts(n, rng, k=3, skill=1.2):
    y = rng.integers(k, size=n)
    logits = rng.normal(size=(n, k))
    logits[np.arange(n), y] += skill
    p = np.exp(2 * logits)  # over-confident on purpose: coverage must not depend on calibration
    return p / p.sum(axis=1, keepdims=True), y


def covered(sets, P, y):
    return np.array([label in found for label, found in zip(y, sets.predict(P), strict=True)])


def test_units_needed():
    assert (units_needed(0.9), units_needed(0.95), units_needed(0.8)) == (9, 19, 4)


def test_marginal_coverage_holds_over_many_draws():
    rng = np.random.default_rng(0)
    means = []
    for _ in range(300):
        P, y = forecasts(25, rng)
        sets = ConformalSets.fit(P, y, 0.95)
        assert sets.kind == "marginal"
        means.append(covered(sets, *forecasts(100, rng)).mean())
    # 300 draws of 25 cases: standard error below 0.003
    assert 0.945 < np.mean(means) < 0.98


def test_class_conditional_coverage_holds_for_each_label():
    rng = np.random.default_rng(1)
    hits: dict[int, list[bool]] = {0: [], 1: [], 2: []}
    for _ in range(300):
        P, y = forecasts(90, rng)
        sets = ConformalSets.fit(P, y, 0.9)
        assert sets.kind == "class-conditional"
        fresh, truth = forecasts(100, rng)
        for label, hit in zip(truth, covered(sets, fresh, truth), strict=True):
            hits[label].append(bool(hit))
    for found in hits.values():
        assert 0.89 < np.mean(found) < 0.95


def test_p_values_carry_the_finite_sample_correction():
    # Nine scores for 90 %: a label is excluded only where it conforms worse than all nine, at p = 1/10.
    p = np.linspace(0.1, 0.9, 9)
    sets = ConformalSets.fit(np.column_stack([p, 1 - p]), np.zeros(9, int), 0.9)
    found = sets.p_values(np.array([[0.1, 0.9], [0.09, 0.91], [0.5, 0.5]]))
    assert found[:, 0] == pytest.approx([0.2, 0.1, 0.6])
    assert sets.inside(found)[:, 0].tolist() == [True, False, True]


def test_one_label_too_rare_falls_back_and_says_so():
    rng = np.random.default_rng(2)
    P, _ = forecasts(40, rng)
    sets = ConformalSets.fit(P, np.array([0] * 18 + [1] * 18 + [2] * 4), 0.9)
    assert sets.kind == "marginal"
    assert "4 held-out cases" in sets.warning


def test_too_few_cases_give_every_label():
    P, y = forecasts(8, np.random.default_rng(3))
    sets = ConformalSets.fit(P, y, 0.9)
    assert sets.kind == "everything"
    assert "cannot promise" in sets.warning
    assert all(sorted(found) == [0, 1, 2] for found in sets.predict(P))
    assert ConformalSets.fit(P[:0], y[:0], 0.9).kind == "everything"


def at(threshold):
    """Marginal sets of the labels that conform at least as well as ``threshold``, which all held-out cases do."""
    scores = HeldOutScores.of(np.full(99, threshold), None)
    return ConformalSets(coverage=0.9, kind="marginal", held_out=(scores,), n=99)


def test_sets_may_be_empty_and_lead_with_the_most_probable():
    assert at(0.1).predict(np.array([[0.3, 0.4, 0.3], [0.95, 0.03, 0.02]])) == [(), (0,)]
    assert at(0.8).predict(np.array([[0.3, 0.5, 0.2]])) == [(1, 0, 2)]


def test_travels_as_json():
    sets = ConformalSets.fit(*forecasts(60, np.random.default_rng(4)))
    assert ConformalSets.model_validate_json(sets.model_dump_json()) == sets
