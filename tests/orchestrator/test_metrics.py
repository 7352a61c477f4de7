import numpy as np
import pytest

from doubleread.orchestrator import metrics as m

P = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.7, 0.3]])
Y = np.array([0, 1, 1, 0])
CONFIDENCE = np.array([0.9, 0.6, 0.8, 0.7])
CORRECT = np.array([True, False, True, True])


def test_hand_worked_scores():
    assert m.accuracy(P, Y) == 0.75
    assert m.confidences(P).tolist() == CONFIDENCE.tolist()
    assert m.brier(P, Y) == pytest.approx(2 * (0.01 + 0.36 + 0.04 + 0.09) / 4)
    assert m.nll(P, Y) == pytest.approx(-np.log([0.9, 0.4, 0.8, 0.7]).mean())
    assert m.confusion_matrix(P, Y).tolist() == [[2, 0], [1, 1]]


def test_log_loss_is_clipped():
    assert m.nll(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(-np.log(1e-6))


def test_hand_worked_ece():
    # Bins of 0.5: all four cases share one, mean confidence 0.75, accuracy 0.75.
    assert m.ece(CONFIDENCE, CORRECT, bins=2) == pytest.approx(0.0)
    # Bins of 0.1: each case is alone; gaps 0.1, 0.6, 0.2, 0.3.
    assert m.ece(CONFIDENCE, CORRECT, bins=10) == pytest.approx(1.2 / 4)


def test_ece_agrees_with_ten_lines_of_numpy_and_with_netcal():
    from netcal.metrics import ECE

    rng = np.random.default_rng(1)
    confidence = rng.random(500)
    correct = rng.random(500) < confidence**2
    by_hand = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            by_hand += inside.mean() * abs(correct[inside].mean() - confidence[inside].mean())
    assert m.ece(confidence, correct) == pytest.approx(by_hand)
    assert m.ece(confidence, correct) == pytest.approx(ECE(bins=15).measure(confidence, correct.astype(int)))


@pytest.mark.parametrize("bins", [5, 10, 15])
def test_no_phantom_bins(bins):
    sure = np.ones(4)
    assert m.ece(sure, np.array([True, True, True, False]), bins) == pytest.approx(0.25)
    (only,) = m.reliability_bins(sure, np.ones(4, bool), bins)
    assert (only.high, only.n, only.accuracy) == (1.0, 4, 1.0)
    edges = np.arange(1, bins + 1) / bins
    found = m.reliability_bins(edges, np.ones(bins, bool), bins)
    assert [b.n for b in found] == [1] * bins
    assert [b.high for b in found] == pytest.approx(edges.tolist())


def test_a_calibrated_forecaster_stays_at_the_chance_level():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 300)
    chance = m.ece_chance(confidence, 15, rng)
    values = [m.ece(confidence, rng.random(300) < confidence) for _ in range(200)]
    assert np.mean(values) == pytest.approx(chance.mean, rel=0.1)
    assert np.mean(np.array(values) <= chance.high) == pytest.approx(0.95, abs=0.04)
    assert m.ece(confidence, rng.random(300) < confidence - 0.3) > chance.high


def test_classwise_ece_by_hand():
    # Each label is alone in its bins: gaps of 0.1, 0.6, 0.2, 0.3 for both labels.
    assert m.classwise_ece(P, Y, bins=10) == pytest.approx(0.3)


def test_overconfidence_counts_wrong_and_sure_over_all_cases():
    confidence = np.array([0.95, 0.95, 0.8, 0.5])
    correct = np.array([True, False, False, False])
    assert m.overconfidence_rate(confidence, correct) == 0.25
    assert m.overconfidence_rate(confidence, correct, threshold=0.7) == 0.5


def test_confidence_correctness_correlation():
    assert m.confidence_correctness_correlation(CONFIDENCE, CORRECT) == pytest.approx(
        np.cov(CONFIDENCE, CORRECT)[0, 1] / (np.std(CONFIDENCE, ddof=1) * np.std(CORRECT, ddof=1))
    )
    assert m.confidence_correctness_correlation(CONFIDENCE, np.ones(4, bool)) is None
    assert m.confidence_correctness_correlation(CONFIDENCE, np.zeros(4, bool)) is None
    assert m.confidence_correctness_correlation(np.full(4, 0.9), CORRECT) is None
    assert m.confidence_correctness_correlation(CONFIDENCE[:1], CORRECT[:1]) is None


def test_risk_coverage_by_hand():
    curve = m.risk_coverage(CONFIDENCE, CORRECT)
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert curve.risk.tolist() == [0.0, 0.0, 0.0, 0.25]
    assert m.aurc(CONFIDENCE, CORRECT) == pytest.approx(0.0625)
    assert m.accuracy_at_coverage(CONFIDENCE, CORRECT, 0.75) == 1.0
    assert m.accuracy_at_coverage(CONFIDENCE, CORRECT, 1.0) == 0.75


def test_tied_confidences_share_their_errors_whatever_the_order():
    confidence, correct = np.array([0.9, 0.9, 0.9, 0.9, 0.5]), np.array([True, False, True, True, False])
    risk = m.risk_coverage(confidence, correct).risk
    assert risk.tolist() == pytest.approx([0.25, 0.25, 0.25, 0.25, 0.4])
    assert m.risk_coverage(confidence[::-1], correct[::-1]).risk.tolist() == pytest.approx(risk.tolist())


def test_wilson_interval():
    # Wilson 1927 for 8 of 10: (0.4902, 0.9433).
    low, high = m.wilson(8, 10)
    assert (low, high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert m.wilson(0, 0) == (0.0, 1.0)
    assert m.wilson(10, 10).high == 1.0
    assert m.wilson(0, 10).low == 0.0


def test_nothing_is_known_of_no_cases():
    none, nobody = np.zeros((0, 3)), np.zeros(0, int)
    empty, flags = np.zeros(0), np.zeros(0, bool)
    for metric in (m.accuracy, m.brier, m.nll, m.classwise_ece):
        assert np.isnan(metric(none, nobody))
    for value in (m.ece(empty, flags), m.overconfidence_rate(empty, flags), m.aurc(empty, flags)):
        assert np.isnan(value)
    assert np.isnan(m.ece_chance(empty, 15, np.random.default_rng(0)).mean)
    assert np.isnan(m.accuracy_at_coverage(empty, flags, 0.9))
    assert m.reliability_bins(empty, flags) == ()
    assert m.confusion_matrix(none, nobody).sum() == 0
    assert m.confidence_correctness_correlation(empty, flags) is None
