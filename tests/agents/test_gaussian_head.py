"""The discriminant's head, on numbers worked by hand and on Gaussians whose true probabilities are known."""

import numpy as np
import pytest
from scipy.special import log_softmax

from benchmarks.bench_few_shot import wang_scores, worth
from doubleread.agents.gaussian_head import FIRST_SCALE, GaussianHead, fit_head, unit_head

DIM, LABELS = 40, 3


def gaussians(rng, counts, apart, *, dim=DIM):
    """Cases of labels with random means, ``apart`` standard deviations of a component from the middle on average."""
    means = rng.normal(0, apart, (len(counts), dim))

    def draw(some):
        labels = np.repeat(np.arange(len(some)), some)
        return means[labels] + rng.normal(0, 1, (len(labels), dim)), labels

    return draw(counts), draw([200] * len(counts))


def judged(counts, apart, draws=40, change=lambda head: head):
    found = []
    for seed in range(draws):
        (x, y), (unseen, truth) = gaussians(np.random.default_rng(seed), counts, apart)
        found.append(worth(change(fit_head(x, y, len(counts)).head).log_scores(unseen), truth))
    return np.mean(found, axis=0)


def test_of_single_cases_the_log_odds_are_the_scale_times_the_difference_of_distances():
    """Cases at 0 and 2: D = 4; at 0.5 the squared distances differ by 2.25 - 0.25, half of D."""
    head = fit_head(np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([0, 1]), 2).head
    scores = head.log_scores(np.array([[0.5, 7.0], [1.0, -3.0]]))
    assert scores[:, 0] - scores[:, 1] == pytest.approx([FIRST_SCALE / 2, 0])


def test_with_even_counts_it_is_the_estimator_of_wang_2024_but_for_its_scale():
    (x, y), (unseen, _) = gaussians(np.random.default_rng(0), [4, 4, 4], 0.5)
    theirs = wang_scores(x, y, unseen)
    ours = fit_head(x, y, LABELS).head.log_scores(unseen)
    one, other = (scores - scores.mean(axis=1, keepdims=True) for scores in (ours, theirs))
    ratio = (one * other).sum() / (other**2).sum()
    assert one == pytest.approx(ratio * other)


def test_units_of_the_embeddings_make_no_difference():
    (x, y), (unseen, _) = gaussians(np.random.default_rng(1), [3, 5, 2], 0.5)
    one, other = (
        log_softmax(fit_head(x * unit, y, LABELS).head.log_scores(unseen * unit), axis=1) for unit in (1, 100)
    )
    assert one == pytest.approx(other, abs=1e-3)


@pytest.mark.parametrize("shots", [2, 3, 4, 8, 16])
@pytest.mark.parametrize("apart", [0.3, 0.6])
def test_mean_confidence_is_near_accuracy_for_hard_and_easy_tasks(shots, apart):
    assert abs(judged([shots] * LABELS, apart, draws=12)[2]) < 0.1


def test_control_a_scale_five_times_as_large_is_overconfident():
    assert judged([4] * LABELS, 0.3, change=lambda head: head.scaled(5))[2] > 0.15


@pytest.mark.parametrize("apart", [0.2, 0.6, 2.0])
def test_single_cases_never_give_near_certainty_on_unseen_cases(apart):
    accuracy, _, gap = judged([1] * LABELS, apart)
    assert accuracy + gap < 0.95


def test_a_label_with_few_cases_is_named_about_as_often_as_it_is_true():
    shares = []
    for seed in range(20):
        (x, y), (unseen, _) = gaussians(np.random.default_rng(seed), [2, 30, 30], 0.5)
        shares.append((fit_head(x, y, LABELS).head.log_scores(unseen).argmax(axis=1) == 0).mean())
    assert 0.2 < np.mean(shares) < 0.45


def test_copies_within_a_group_do_not_make_it_surer():
    (x, y), _ = gaussians(np.random.default_rng(2), [3, 3, 3], 0.5)
    groups = [f"plant {i}" for i in range(9)]
    copies = x + np.random.default_rng(3).normal(0, 0.01, x.shape)
    twice, both = np.concatenate([x, copies]), np.concatenate([y, y])
    grouped = fit_head(twice, both, LABELS, groups * 2).scale
    assert grouped < fit_head(twice, both, LABELS).scale / 2


def test_one_group_a_label_leaves_the_prior_of_a_single_case():
    (x, y), _ = gaussians(np.random.default_rng(2), [5, 5, 5], 0.5)
    assert fit_head(x, y, LABELS, [f"plant {k}" for k in y]).scale == pytest.approx(FIRST_SCALE)


def test_a_lighter_ridge_is_taken_only_where_it_clearly_pays():
    """Labels that differ in the one direction of little spread ask for a light ridge; a round cloud does not."""
    rng = np.random.default_rng(4)
    y = np.repeat([0, 1], 80)
    noise = rng.normal(0, 1, (160, DIM))
    shift = np.outer(y, np.eye(DIM)[0])
    assert fit_head(noise + shift, y, 2).ridge == 1
    assert fit_head(noise * np.array([1.0] + [6.0] * (DIM - 1)) + 2 * shift, y, 2).ridge < 1


def test_identical_cases_give_no_opinion_and_no_error():
    head = fit_head(np.ones((4, 5)), np.array([0, 0, 1, 1]), 2).head
    scores = head.log_scores(np.ones((1, 5)))
    assert scores[0, 0] == pytest.approx(scores[0, 1])


def test_retrieved_cases_move_means_by_their_number():
    head = GaussianHead(np.eye(2), np.array([[0.0, 0.0], [4.0, 0.0]]), np.array([1.0, 2.0]), 0.0)
    joined = head.joined_by(np.array([[2.0, 2.0], [4.0, 0.0]]), np.array([0.0, 0.0]))
    assert joined.means == pytest.approx(np.array([[2.0, 2 / 3], [4.0, 0.0]]))
    assert list(joined.counts) == [3, 2]


def test_means_of_few_cases_count_less_by_their_error():
    """Means at ±2: their spread is 8; v = 4, so τ² = 8 - 4 (1 + ¼) / 2 = 5.5 and ρ ∝ 5.5 / 9.5 and 5.5 / 6.5."""
    head = GaussianHead(np.eye(1), np.array([[-2.0], [2.0]]), np.array([1.0, 4.0]), 4.0)
    rho = 6.5 / 9.5
    assert head.log_scores(np.array([[1.0]]))[0] == pytest.approx([rho * (-2 - rho * 2), 2 - 2])


def test_the_unit_head_has_distance_two_between_cases_of_different_labels():
    (x, y), _ = gaussians(np.random.default_rng(5), [4, 4, 4], 0.5, dim=6)
    white = x @ unit_head(x, y, LABELS, 1.0).whitening
    distances = ((white[:, None] - white[None]) ** 2).sum(axis=2)
    assert distances[y[:, None] != y[None]].mean() == pytest.approx(2)
