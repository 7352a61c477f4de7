"""Drift: few false alarms however long one looks, and real drift found."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import binom

from doubleread.orchestrator.trust.drift import ALPHA, SHIFTS, Baseline, Stream, log_evidence, told, warning_of, watch

START = datetime(2026, 1, 1, tzinfo=UTC)
ALWAYS = 100.0
"""Alarm level of one test that may be false in 1 of 100."""


def confidences(rng, n):
    """Mostly sure, 93 % on average."""
    return np.clip(1 - 0.6 * rng.beta(1, 8, n), 0.3, 0.999)


def stream(confidence, correct, fair=None):
    times = [START + timedelta(days=i) for i in range(len(correct))]
    everyone = np.ones(len(correct), dtype=bool)
    return Stream(confidence, correct, times, everyone if fair is None else fair)


def alarms(confidence, correct, baseline, threshold=ALWAYS):
    """Kinds of the alarms that ever rose."""
    return {d.kind for d in watch("a", baseline, stream(confidence, correct), threshold) if d.alarm}


# -- by hand ------------------------------------------------------------------------------------------------------


def test_the_wealth_of_two_bets_by_hand():
    """Stated 80 % are log-odds of 1.386; less 1 they make 59.5 %."""
    found = log_evidence(np.array([0.8, 0.8]), np.array([False, True]), [-1.0])
    wrong, right = (1 - expit(logit(0.8) - 1)) / 0.2, expit(logit(0.8) - 1) / 0.8
    waits = 1 / (1 + np.log([2, 3]))  # what still waits after the first and the second case
    first = (1 - waits[0]) * wrong
    second = (first + waits[0] - waits[1]) * right
    assert np.exp(found.log_wealth) == pytest.approx([first + waits[0], second + waits[1]])


def test_a_fair_bet_neither_gains_nor_loses_on_average():
    for p in (0.3, 0.9, 0.999):
        gain = [np.exp(log_evidence(np.array([p]), np.array([right]), SHIFTS).log_wealth[0]) for right in (True, False)]
        assert p * gain[0] + (1 - p) * gain[1] == pytest.approx(1)


def test_the_slack_is_what_the_calibration_cases_could_not_tell():
    confidence = np.full(100, 0.9)
    correct = np.arange(100) >= 10
    assert Baseline.of(confidence, correct, 100).slack == pytest.approx(1.96 / np.sqrt(100 * 0.09))
    assert Baseline.of(confidence, correct, 25).slack == pytest.approx(1.96 / np.sqrt(25 * 0.09))
    assert Baseline.of(confidence, correct, 100).accuracy_low == pytest.approx(0.8256, abs=1e-4)


def test_extremes_are_no_error():
    always, sure = np.ones(3000, dtype=bool), np.ones(3000)
    found = watch("a", Baseline.of(sure, always, 3000), stream(sure, ~always), ALWAYS)
    assert [d.kind for d in found if d.alarm] == ["accuracy"]  # certainty leaves no shift of the log-odds unexplained
    assert np.isfinite(found[1].e_value)


# -- promises -----------------------------------------------------------------------------------------------------


def rarely(count, trials, level):
    """Whether so many alarms are compatible with a probability of ``level`` at the most."""
    return count <= binom.ppf(0.999, trials, level)


def test_false_alarms_are_rare_however_long_one_looks():
    """2,000 streams of 400 cases without slack; one looks after each case and stops at the first alarm."""
    rng = np.random.default_rng(0)
    false = {"calibration": 0, "accuracy": 0}
    for _ in range(2000):
        confidence = confidences(rng, 400)
        correct = rng.random(400) < confidence
        for kind in alarms(confidence, correct, Baseline(0.0, 0.93)):
            false[kind] += 1
    assert rarely(false["calibration"], 2000, 1 / ALWAYS)
    assert rarely(false["accuracy"], 2000, 1 / ALWAYS)
    assert false["calibration"] > 0  # a test that never errs is none


def test_cases_selected_by_score_raise_no_false_alarm_of_calibration():
    """Only cases below 85 % are confirmed: half as accurate, and still as well calibrated."""
    rng = np.random.default_rng(1)
    false = 0
    for _ in range(1000):
        confidence = confidences(rng, 1500)
        confidence = confidence[confidence < 0.85][:150]
        correct = rng.random(len(confidence)) < confidence
        nobody = np.zeros(len(confidence), dtype=bool)
        found = watch("a", Baseline(0.0, 0.93), stream(confidence, correct, fair=nobody), ALWAYS)
        assert [d.kind for d in found] == ["calibration"]
        false += found[0].alarm
    assert rarely(false, 1000, 1 / ALWAYS)


def test_a_calibration_that_was_estimated_counts_as_such():
    """The true log-odds are off by what 100 calibration cases cannot tell (5 % of draws are further off)."""
    rng = np.random.default_rng(2)
    false = 0
    for _ in range(500):
        confidence = confidences(rng, 600)
        slack = Baseline.of(confidence[:100], np.ones(100, dtype=bool), 100).slack
        off = rng.normal() * slack / 1.96
        correct = rng.random(600) < expit(logit(confidence) + off)
        false += "calibration" in alarms(confidence, correct, Baseline(slack, 0.5))
    assert rarely(false, 500, 0.05 + 1 / ALWAYS)


@pytest.mark.parametrize(("healthy", "within"), [(0, 150), (1000, 250)])
def test_an_accuracy_that_falls_by_twenty_points_is_found(healthy, within):
    """95 of 100 streams raise both alarms within so many cases; a thousand good cases before do not hide it."""
    rng = np.random.default_rng(3)
    late = 0
    for _ in range(200):
        n = healthy + within
        confidence = confidences(rng, n)
        p = confidence - 0.2 * (np.arange(n) >= healthy)
        baseline = Baseline.of(np.full(400, 0.93), np.arange(400) >= 28, 400)
        late += alarms(confidence, rng.random(n) < p, baseline) != {"calibration", "accuracy"}
    assert late <= 10


def test_the_beginning_is_found():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(50):
        confidence = confidences(rng, 600)
        p = confidence - 0.3 * (np.arange(600) >= 300)
        drift = watch("a", Baseline(0.3, 0.9), stream(confidence, rng.random(600) < p), ALWAYS)[0]
        assert drift.alarm
        assert drift.direction == "over-confident"
        found.append((drift.since - START).days)
    assert abs(np.median(found) - 300) <= 15


def test_confidence_that_is_too_low_is_found_and_named():
    rng = np.random.default_rng(5)
    confidence = rng.uniform(0.5, 0.7, 200)
    found = watch("a", Baseline(0.3, 0.5), stream(confidence, rng.random(200) < confidence + 0.28), ALWAYS)
    assert [(d.kind, d.direction, d.alarm) for d in found] == [
        ("calibration", "under-confident", True),
        ("accuracy", "less accurate", False),
    ]


# -- words --------------------------------------------------------------------------------------------------------


def test_nothing_is_said_of_no_outcomes():
    assert watch("a", Baseline(0.3, 0.9), stream(np.empty(0), np.empty(0, dtype=bool)), ALWAYS) == ()


def test_an_alarm_is_told_with_its_evidence():
    found = watch("a", Baseline(0.3, 0.9), stream(np.full(40, 0.95), np.arange(40) % 2 == 0), 2 / ALPHA)
    assert told(found[0]).startswith("drift: a has become over-confident since about 2026-01-0")
    assert "40 outcomes: stated 95% on average, right on 50%" in told(found[0])
    assert "alarm at 200" in told(found[0])
    assert "drift of a (over-confident, less accurate)" in warning_of(found)
