"""At most so many wrong among the committed: the arithmetic by hand, and the promise over many draws."""

import numpy as np
import pytest

from doubleread.core.errors import DataError
from doubleread.orchestrator.conformal._fixed_sequence import (
    EVERY_SCORE,
    errorless_cases,
    ranks_to_start_at,
    upper_bound,
)
from doubleread.orchestrator.conformal.selective_risk import SelectiveRisk

RISK, DELTA, DRAWS, HELD_OUT = 0.1, 0.1, 600, 300
SLACK = 3 * np.sqrt(DELTA * (1 - DELTA) / DRAWS)


def test_how_many_cases_without_an_error_are_needed():
    # 0.95 ^ 44 = 0.105, 0.95 ^ 45 = 0.0994; 0.99 ^ 229 = 0.1001, 0.99 ^ 230 = 0.0991
    assert errorless_cases(0.05, 0.1) == 45
    assert errorless_cases(0.01, 0.1) == 230


def test_the_exact_bound_by_hand():
    # No error of n: 1 - delta ^ (1 / n). One error of two at 90 %: 1 - p^2 over 1 = 0.9, so p = sqrt(0.9).
    assert upper_bound(0, 45, 0.1) == pytest.approx(1 - 0.1 ** (1 / 45))
    assert upper_bound(1, 2, 0.1) == pytest.approx(np.sqrt(0.9))
    assert upper_bound(3, 3, 0.1) == 1


def test_as_many_starts_as_fit_when_they_share_delta():
    # Two starts have 5 % each: 0.95 ^ 59 = 0.048; three would have 3.3 % each and need 67, 134 and 268.
    assert ranks_to_start_at(160, 0.05, 0.1) == [59, 118]
    assert ranks_to_start_at(268, 0.05, 0.1) == [67, 134, 268]
    assert ranks_to_start_at(45, 0.05, 0.1) == [45]
    assert ranks_to_start_at(44, 0.05, 0.1) == []


def test_a_sample_that_is_too_small_promises_nothing_and_says_so():
    few = SelectiveRisk.fit(np.linspace(0, 1, 44), np.ones(44, bool), 0.05, 0.1)
    assert few.threshold is None
    assert few.bound is None
    assert few.committed == 0
    assert "even without an error 45 are needed" in few.note
    assert not few.commits(np.array([1.0, 2.0])).any()


def test_all_right_commits_to_everything():
    found = SelectiveRisk.fit(np.linspace(0, 1, 45), np.ones(45, bool), 0.05, 0.1)
    assert found.threshold == EVERY_SCORE
    assert (found.committed, found.wrong) == (1, 0)
    assert found.note.endswith("without groups, this is not promised for new groups")
    assert found.bound == pytest.approx(1 - 0.1 ** (1 / 45))
    assert found.commits(np.array([-3.0])).all()


def test_the_threshold_stops_where_the_bound_would_break():
    # 100 sure cases, all right, then 50 that are all wrong. One start fits: 45 cases at 10 %.
    # One error of 101 has the bound 0.038, two of 102 have 0.051.
    scores = np.concatenate([np.linspace(0.9, 0.8, 67), np.linspace(0.4, 0.3, 50)])
    found = SelectiveRisk.fit(scores, np.arange(117) < 67, 0.05, 0.1)
    assert ranks_to_start_at(117, 0.05, 0.1) == [45]
    assert found.wrong == 0  # one of 68 has the bound 0.056
    assert found.committed == 67 / 117
    assert found.commits(scores).sum() == 67
    assert 0.4 < found.threshold < 0.8


def test_the_order_of_cases_has_no_part_in_it():
    rng = np.random.default_rng(0)
    scores = rng.random(200)
    correct = rng.random(200) < 0.5 + scores / 2
    shuffle = rng.permutation(200)
    assert SelectiveRisk.fit(scores, correct, 0.2) == SelectiveRisk.fit(scores[shuffle], correct[shuffle], 0.2)


def test_tied_scores_stand_or_fall_together():
    scores = np.repeat([0.9, 0.6], [130, 30])
    found = SelectiveRisk.fit(scores, scores == 0.9, 0.05, 0.1)
    assert found.committed == 130 / 160
    assert found.commits(np.array([0.9, 0.6])).tolist() == [True, False]
    bad = SelectiveRisk.fit(scores, np.arange(160) % 5 > 0, 0.05, 0.1)
    assert bad.threshold is None
    assert "wrong too often" in bad.note


def test_travels_as_json_and_names_groups():
    rng = np.random.default_rng(1)
    scores = rng.random(200)
    found = SelectiveRisk.fit(scores, scores > 0.1, groups=[f"{i // 2}" for i in range(200)])
    assert SelectiveRisk.model_validate_json(found.model_dump_json()) == found
    assert found.note.startswith("committed risk is promised for new groups")
    assert found.n == 100  # one case of each group


def test_what_cannot_be_used_is_refused():
    right = np.ones(50, bool)
    with pytest.raises(DataError, match="one of each"):
        SelectiveRisk.fit(np.zeros(49), right)
    with pytest.raises(DataError, match="NaN"):
        SelectiveRisk.fit(np.full(50, np.nan), right)
    with pytest.raises(DataError, match="delta is 0"):
        SelectiveRisk.fit(np.zeros(50), right, 0.1, 0)
    with pytest.raises(DataError, match="risk is 1"):
        SelectiveRisk.fit(np.zeros(50), right, 1)


# The promise. Each shape draws n scores and says how probable an error is at each.


def calibrated(n, rng):
    sure = 1 - 0.5 * rng.beta(0.6, 1.5, n)
    return sure, 1 - sure


def overconfident(n, rng):
    sure = 1 - 0.5 * rng.beta(0.3, 2, n)
    return sure, np.minimum(1 - sure + 0.07, 1)


def useless(n, rng):
    """The score says nothing, and the risk is a hair too high everywhere: every commitment breaks the promise."""
    return rng.random(n), np.full(n, RISK + 1e-6)


def tied(n, rng):
    """Verbalised confidences; committing to the two higher ones is a hair too risky."""
    score = rng.choice([0.7, 0.85, 0.95], size=n, p=[0.2, 0.4, 0.4])
    return score, np.select([score == 0.95, score == 0.85], [0.04, 0.1601], 0.5)


def surest_are_wrong(n, rng):
    """The risk first falls, then rises: a few cases are sure and mostly wrong, just as many as the first start."""
    score = rng.random(n)
    return score, np.select([score > 0.93, score > 0.4], [0.3, 0.0737], 0.4)


SHAPES = [calibrated, overconfident, useless, tied, surest_are_wrong]


def violations(shape, choose, seed=0):
    """Share of draws in which more than ``RISK`` of all committed cases would be wrong, and the share committed."""
    rng = np.random.default_rng(seed)
    everyone, error = shape(200_000, rng)
    order = np.argsort(-everyone, kind="stable")
    ranked, risk = everyone[order], np.cumsum(error[order]) / np.arange(1, len(order) + 1)
    broken, committed = [], []
    for _ in range(DRAWS):
        scores, wrong = shape(HELD_OUT, rng)
        threshold = choose(scores, rng.random(HELD_OUT) >= wrong)
        above = 0 if threshold is None else int(np.searchsorted(-ranked, -threshold, side="right"))
        broken.append(above > 0 and risk[above - 1] > RISK)
        committed.append(above / len(ranked))
    return np.mean(broken), np.mean(committed)


def promised(scores, correct):
    return SelectiveRisk.fit(scores, correct, RISK, DELTA).threshold


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_the_promise_is_broken_in_at_most_delta_of_the_draws(shape):
    broken, _ = violations(shape, promised)
    assert broken <= DELTA + SLACK


def test_it_does_commit():
    """A rule that refers everything would pass the test above."""
    _, committed = violations(calibrated, promised)
    assert committed > 0.4  # at most 10 % wrong is true of about three quarters, known to nobody


@pytest.mark.parametrize("shape", [useless, tied], ids=lambda shape: shape.__name__)
def test_these_tests_can_fail_the_observed_error_rate_breaks_the_promise(shape):
    """A negative control: the lowest threshold with at most ``RISK`` observed errors, without a bound."""

    def naive(scores, correct):
        order = np.argsort(-scores, kind="stable")
        passes = np.cumsum(~correct[order]) / np.arange(1, len(order) + 1) <= RISK
        return scores[order][np.flatnonzero(passes).max()] if passes.any() else None

    broken, _ = violations(shape, naive)
    assert broken > DELTA + SLACK


def test_these_tests_can_fail_a_bound_that_forgets_how_many_thresholds_were_tried_breaks_the_promise():
    """A negative control: the lowest threshold whose own bound passes at the whole of ``DELTA``."""

    def greedy(scores, correct):
        order = np.argsort(-scores, kind="stable")
        n = np.arange(1, len(order) + 1)
        passes = upper_bound(np.cumsum(~correct[order]), n, DELTA) <= RISK
        return scores[order][np.flatnonzero(passes).max()] if passes.any() else None

    broken, _ = violations(useless, greedy)
    assert broken > DELTA + SLACK
