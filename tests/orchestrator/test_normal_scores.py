import numpy as np
import pytest

from doubleread.orchestrator.ood._normal_scores import normal_scores, open_ended_scores

NAN = float("nan")


def test_hand_worked_ranks():
    # Of five, in order, the lower tails are .1, .3, .5, .7, .9: z = ∓1.2816, ∓0.5244, 0.
    found = normal_scores(np.array([3.0, 1.0, 6.0, 2.0, 4.0]))
    assert found == pytest.approx([0, -1.28155, 1.28155, -0.5244, 0.5244], abs=1e-4)


def test_a_hand_worked_open_end():
    # The largest, 6, lies three times as far from the median, 3, as the second largest, 4; the rest stays.
    found = open_ended_scores(np.array([3.0, 1.0, 6.0, 2.0, 4.0]))
    assert found == pytest.approx([0, -1.28155, 3 * 1.28155, -0.5244, 0.5244], abs=1e-4)


def test_ties_share_the_middle_of_their_ranks():
    # Two of four are lowest: their upper tail is 1 - 1/4 = .75; the upper pair's .25. Nothing is stretched.
    assert normal_scores(np.array([1.0, 2.0, 1.0, 2.0])) == pytest.approx(
        [-0.67449, 0.67449, -0.67449, 0.67449], abs=1e-4
    )


@pytest.mark.parametrize("scores", [normal_scores, open_ended_scores])
def test_what_never_varies_says_nothing(scores):
    assert scores(np.zeros(7)) == pytest.approx(np.zeros(7))
    assert scores(np.array([3.0])) == pytest.approx([0.0])
    assert scores(np.array([])).shape == (0,)
    # the first to differ stands out by its rank alone: there is no scale to measure it by
    assert scores(np.array([0.0] * 9 + [5.0]))[-1] == pytest.approx(1.64485, abs=1e-4)


@pytest.mark.parametrize("scores", [normal_scores, open_ended_scores])
def test_unknown_values_score_the_middle_and_do_not_count(scores):
    found = scores(np.array([NAN, 1.0, NAN, 2.0, 3.0]))
    assert found[[0, 2]] == pytest.approx([0, 0])
    assert found[[1, 3, 4]] == pytest.approx(scores(np.array([1.0, 2.0, 3.0])))
    assert scores(np.array([NAN, NAN])) == pytest.approx([0, 0])


def test_only_far_beyond_the_others_goes_on():
    x = np.random.default_rng(0).normal(size=200)
    assert open_ended_scores(np.append(x, 1e3))[-1] > 100
    assert open_ended_scores(np.append(x, -1e3))[-1] > -3
    assert normal_scores(np.append(x, 1e3))[-1] < 3


@pytest.mark.parametrize("scores", [normal_scores, open_ended_scores])
def test_all_values_are_treated_alike(scores):
    rng = np.random.default_rng(1)
    x = rng.exponential(size=50)
    order = rng.permutation(50)
    assert scores(x[order]) == pytest.approx(scores(x)[order])
