"""Prompts are compared on the cases both answered, and one is better only beyond chance."""

import numpy as np
import pytest

from doubleread.core.errors import DataError
from doubleread.orchestrator.learning.fusion_learning import Sample
from doubleread.orchestrator.learning.prompt_choice import best_of, calibrated, differences, limit_of

K, N = 3, 60


def said(labels, right, rng, lead=0.8):
    """Distributions that are right on a share of the cases."""
    wrong = (labels + rng.integers(1, K, len(labels))) % K
    told = np.where(rng.random(len(labels)) < right, labels, wrong)
    found = np.full((len(labels), K), (1 - lead) / (K - 1))
    found[np.arange(len(labels)), told] = lead
    return found


def trial(*accuracies, seed=0, groups=None, n=N):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % K)
    sample = Sample(labels=labels, groups=groups)
    return [calibrated(said(labels, one, rng), sample) for one in accuracies], sample


def test_a_prompt_that_is_right_more_often_is_better_and_one_that_is_wrong_more_often_worse():
    (present, *others), sample = trial(0.6, 0.95, 0.3)
    found = differences(present, others, sample)
    assert [one.change for one in found] == ["better", "worse"]
    assert best_of(found) == 0
    assert found[0].low > 0 > found[1].high
    assert found[0].n == found[0].groups == N


def test_the_same_answers_make_no_difference():
    (present,), sample = trial(0.6)
    (found,) = differences(present, [present], sample)
    assert (found.change, found.lower, found.error) == ("same", 0.0, 0.0)
    assert best_of([found]) is None


@pytest.mark.parametrize("others", [1, 4])
def test_by_chance_a_prompt_is_called_better_no_more_often_than_one_standard_error_allows(others):
    chosen = 0
    for seed in range(150):
        (present, *rest), sample = trial(*[0.6] * (others + 1), seed=seed)
        chosen += best_of(differences(present, rest, sample)) is not None
    assert chosen / 150 <= 0.16 + 2 * (0.16 * 0.84 / 150) ** 0.5


def test_without_the_stricter_limit_several_prompts_would_be_called_better_too_often():
    """The negative control: one standard error for each of eight prompts."""
    chosen = 0
    for seed in range(100):
        (present, *rest), sample = trial(*[0.6] * 9, seed=seed)
        chosen += any(one.lower > (one.error or 0) for one in differences(present, rest, sample))
    assert chosen / 100 > 0.3


def test_the_limit_grows_with_the_number_of_prompts():
    assert limit_of(1) == pytest.approx(1)
    assert limit_of(2) == pytest.approx(1.41, abs=0.01)
    assert limit_of(5) == pytest.approx(1.86, abs=0.01)


def test_only_cases_answered_with_both_count_and_missing_answers_are_no_advantage():
    (present, better), sample = trial(0.5, 0.95)
    fewer = better.copy()
    fewer[: N // 3] = np.nan
    (found,) = differences(present, [fewer], sample)
    assert (found.n, found.change, found.why) == (N - N // 3, "same", "it leaves more images unanswered")
    assert best_of([found]) is None
    (found,) = differences(fewer, [present], sample)
    assert found.n == N - N // 3
    (found,) = differences(present, [np.full_like(present, np.nan)], sample)
    assert (found.n, found.change) == (0, "same")


def test_groups_are_the_units_and_too_few_of_them_decide_nothing():
    (present, better), sample = trial(0.5, 0.95, groups=[str(i // 6) for i in range(N)])
    (found,) = differences(present, [better], sample)
    assert (found.groups, found.change) == (10, "same")
    assert "10 groups are too few" in found.why


def test_calibration_does_not_make_up_missing_answers():
    rng, labels = np.random.default_rng(0), np.arange(30) % K
    P = said(labels, 0.7, rng)
    P[3] = np.nan
    found = calibrated(P, Sample(labels=labels))
    assert np.isnan(found[3]).all()
    assert np.isfinite(np.delete(found, 3, axis=0)).all()
    with pytest.raises(DataError):
        calibrated(P, Sample(labels=labels, groups=["one"] * 30))
