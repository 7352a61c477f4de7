"""The logistic probe's head: its choice of strength and temperature, and its step towards retrieved cases."""

import numpy as np
import pytest
from scipy.special import log_softmax

from doubleread.agents._softmax_head import STRENGTHS, UNTRIED, SoftmaxHead, fit_softmax_head

DIM = 30


def cases(seed, counts, shift=1.0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    x = rng.normal(0, 1, (len(labels), DIM))
    x[:, : len(counts)] += shift * np.eye(len(counts))[labels]
    return x, labels


def log_p(head, x):
    return log_softmax(head.log_scores(x), axis=1)


def test_units_of_the_embeddings_make_no_difference():
    x, y = cases(0, [40, 40])
    one, other = (log_p(fit_softmax_head(x * unit, y, 2), x * unit) for unit in (1, 1000))
    assert one == pytest.approx(other, abs=1e-3)


def test_a_dimension_that_never_changes_does_no_harm():
    x, y = cases(0, [40, 40])
    padded = np.hstack([x, np.full((80, 2), 3.0)])
    assert log_p(fit_softmax_head(padded, y, 2), padded) == pytest.approx(log_p(fit_softmax_head(x, y, 2), x), abs=1e-3)


def test_opinions_are_at_the_shares_of_the_support():
    x, y = cases(1, [180, 20], shift=0.5)
    unseen, _ = cases(2, [1800, 200], shift=0.5)
    assert np.exp(log_p(fit_softmax_head(x, y, 2), unseen))[:, 1].mean() == pytest.approx(0.1, abs=0.04)


def test_its_temperature_makes_held_out_confidence_honest():
    x, y = cases(3, [60, 60, 60])
    unseen, truth = cases(4, [500, 500, 500])
    logs = log_p(fit_softmax_head(x, y, 3), unseen)
    assert np.exp(logs.max(axis=1)).mean() == pytest.approx((logs.argmax(axis=1) == truth).mean(), abs=0.05)


def test_groups_that_share_a_look_ask_for_a_stronger_ridge_or_a_higher_temperature():
    """Cases of a plant resemble each other in what says nothing of the label."""
    rng = np.random.default_rng(5)
    y = np.repeat([0, 1], 60)
    plants = np.arange(120) // 10
    x = 0.2 * rng.normal(0, 1, (120, DIM)) + rng.normal(0, 1, (12, DIM))[plants]
    unseen, truth = rng.normal(0, 1, (400, DIM)), np.repeat([0, 1], 200)
    lost = [
        -log_p(fit_softmax_head(x, y, 2, groups), unseen)[np.arange(400), truth].mean()
        for groups in ([str(p) for p in plants], None)
    ]
    assert lost[0] < lost[1]
    assert lost[0] < 0.8


def test_without_folds_the_strength_is_the_untried_one():
    x, y = cases(6, [1, 1, 1])
    head = fit_softmax_head(x, y, 3)
    assert (head.strength, head.temperature) == (UNTRIED, 1)
    assert UNTRIED in STRENGTHS


def test_single_cases_never_give_near_certainty_on_unseen_cases():
    x, y = cases(6, [1, 1, 1], shift=3)
    unseen, _ = cases(7, [100, 100, 100], shift=3)
    assert np.exp(log_p(fit_softmax_head(x, y, 3), unseen)).max(axis=1).mean() < 0.9


def test_the_scores_follow_the_formula():
    """z = (3 - 1) / 2 = 1; (±1 - log π) / 2 + log π."""
    head = SoftmaxHead(
        np.array([[1.0], [-1.0]]), np.zeros(2), np.ones(1), np.full(1, 2.0), np.array([0.8, 0.2]), 1.0, 2.0
    )
    assert head.log_scores(np.array([[3.0]]))[0] == pytest.approx([(1 + np.log(0.8)) / 2, (-1 + np.log(0.2)) / 2])


def test_the_step_towards_cases_is_the_best_one_within_the_ridge():
    x, y = cases(8, [20, 20])
    head = fit_softmax_head(x, y, 2)
    more, labels = x[:3], np.array([1.0, 1.0, 1.0])

    def loss(step):
        z = head.scaled(more)
        logs = log_softmax(z @ (head.weights + step).T + head.bias, axis=1)
        return -logs[:, 1].sum() + (step**2).sum() / 2 / head.strength

    step = head.step_towards(more, labels)
    rng = np.random.default_rng(9)
    others = [loss(step + 0.01 * rng.normal(0, 1, step.shape)) for _ in range(20)]
    assert loss(step) < min(loss(np.zeros_like(step)), *others)
