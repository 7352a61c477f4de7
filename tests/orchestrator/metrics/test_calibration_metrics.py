"""Calibration errors: those of ``metrics``, of every draw at once, and by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from doubleread.orchestrator import metrics
from doubleread.orchestrator.metrics.calibration_metrics import (
    ACE,
    CLASSWISE_ECE,
    ECE,
    MCE,
    equal_mass_bins,
    expected_error,
)
from doubleread.orchestrator.metrics.draws import Draws
from doubleread.orchestrator.metrics.metric import BINS, MetricSample
from doubleread.orchestrator.trust.profile import calibration_error

RNG = np.random.default_rng(5)


def calibrated(n, k=3, sharp=0.4, seed=0):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(k, sharp), n)
    return P, (rng.random((n, 1)) > np.cumsum(P, axis=1)[:, :-1]).sum(axis=1)


def sample_of(P, y, draws):
    return MetricSample(P, y, Draws([None] * len(y), draws=draws, seed=0), np.ones(len(y), bool))


def judged(P, y, draws=50):
    sample = sample_of(P, y, draws)
    return SimpleNamespace(
        ece=ECE.found(sample), ace=ACE.found(sample), mce=MCE.found(sample), classwise=CLASSWISE_ECE.found(sample)
    )


def test_the_errors_are_those_of_the_metrics():
    P, y = calibrated(200)
    found = judged(P, y, draws=1000)
    slow = calibration_error(P, y, [None] * 200)
    assert (found.ece.value, found.ece.low, found.ece.high) == pytest.approx((slow.value, slow.low, slow.high))
    assert found.ece.chance == pytest.approx(slow.chance, rel=0.05)
    assert found.ece.chance_high == pytest.approx(slow.chance_high, rel=0.1)
    assert found.classwise.value == pytest.approx(metrics.classwise_ece(P, y))
    alone = expected_error(sample_of(P, y, 1000))
    assert (alone.value, alone.low, alone.high) == pytest.approx((slow.value, slow.low, slow.high))


def test_by_hand():
    """Two bins: 0.9 with 1 of 2 right, 0.6 with 2 of 2 right."""
    P = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4], [0.4, 0.6]])
    found = judged(P, np.array([0, 1, 0, 1]))
    assert found.ece.value == pytest.approx((0.4 + 0.4) / 2)
    assert found.mce.value == pytest.approx(0.4)
    assert found.ace.value == pytest.approx((0.4 + 0.4) / 2)
    assert {found.ece.binning, found.mce.binning, found.classwise.binning} == {"equal-width"}
    assert found.ace.binning == "equal-mass"


def test_the_worst_bin_counts_as_much_as_any_other_for_mce():
    P = np.array([[0.99, 0.01]] * 99 + [[0.6, 0.4]])
    found = judged(P, np.array([0] * 98 + [1, 1]))
    assert found.mce.value == pytest.approx(0.6)
    assert found.ece.value == pytest.approx(0.6 / 100 + abs(98 / 99 - 0.99) * 0.99)


def test_equal_mass_bins_hold_equally_many_and_keep_ties_together():
    confidence = RNG.permutation(np.linspace(0.5, 1, 150))
    bins = equal_mass_bins(confidence, BINS)
    assert np.bincount(bins).tolist() == [10] * BINS
    assert (np.diff(bins[np.argsort(confidence)]) >= 0).all()
    assert len(set(equal_mass_bins(np.array([0.7] * 20), BINS))) == 1
    assert equal_mass_bins(np.array([0.1, 0.2, 0.2, 0.3]), 2).tolist() == [0, 1, 1, 1]


def test_the_floor_is_what_calibrated_readers_show_and_a_miscalibrated_one_passes():
    above = {"ece": 0, "ace": 0, "mce": 0, "classwise": 0}
    for seed in range(60):
        found = judged(*calibrated(150, seed=seed), draws=2)
        for name in above:
            above[name] += getattr(found, name).value > getattr(found, name).chance_high
    assert all(n <= 9 for n in above.values()), above  # 5 % of 60 are 3; more than 9 has a chance of 0.1 %
    P, y = calibrated(400, sharp=1.0)
    overconfident = P**4 / (P**4).sum(axis=1, keepdims=True)
    found = judged(overconfident, y)
    assert all(getattr(found, name).value > getattr(found, name).chance_high for name in ("ece", "ace", "classwise"))
    assert all(getattr(found, name).chance < getattr(found, name).chance_high for name in above)
