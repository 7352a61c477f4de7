import numpy as np
import pytest

from doubleread.core.errors import DataError
from doubleread.core.task import Task
from doubleread.core.trust import TrustProfile
from doubleread.orchestrator.calibration.temperature import Temperature
from doubleread.orchestrator.trust.profile import profile, share, track

TASK = Task.of("coin", ["heads", "tails"])


def agent(n=200, accuracy=0.8, confidence=0.9, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(2, size=n)
    said = np.where(rng.random(n) < accuracy, y, 1 - y)
    return np.where(np.eye(2)[said] == 1, confidence, 1 - confidence), y


def test_a_profile_says_what_was_measured():
    P, y = agent()
    right = float((P.argmax(axis=1) == y).mean())
    found = profile("a", TASK, P, y, source="softmax", learned_from="calibration split")
    assert found.n == 200
    assert found.accuracy.value == right
    assert found.accuracy.low < right < found.accuracy.high
    assert found.ece.value == pytest.approx(abs(0.9 - right))
    assert found.ocr == pytest.approx(1 - right)
    assert found.ccc is None
    assert sum(sum(row) for row in found.confusion) == 200
    assert [b.n for b in found.reliability] == [200]
    assert found.nll.value == pytest.approx(-right * np.log(0.9) - (1 - right) * np.log(0.1))
    assert TrustProfile.model_validate_json(found.model_dump_json()) == found


def test_calibration_shows_in_the_profile():
    P, y = agent()
    fitted = Temperature().fit(P, y)
    found = profile("a", TASK, P, y, calibrator=fitted, calibrated_P=fitted.apply(P))
    assert found.calibrator["kind"] == "temperature"
    assert found.calibrated_ece is not None
    assert found.calibrated_ece.value < found.ece.value
    assert found.calibrated_nll is not None
    assert found.calibrated_nll.value < found.nll.value


def test_abstentions_are_counted_and_left_out():
    P, y = agent()
    gaps = np.vstack([P, np.full((7, 2), np.nan)])
    groups = [str(i // 4) for i in range(207)]
    found = profile("a", TASK, gaps, np.r_[y, np.zeros(7, int)], groups, round=2)
    alone = profile("a", TASK, P, y, groups[:200], round=2)
    assert (found.n, found.abstained, found.round) == (200, 7, 2)
    assert found.model_copy(update={"abstained": 0}) == alone


def test_few_cases_are_said():
    P, y = agent(30)
    found = profile("a", TASK, P, y, calibrator=Temperature().fit(P[:10], y[:10]))
    assert "learned from 30 images only" in found.warnings[0]
    assert "prior" in found.warnings[1]
    assert profile("a", TASK, *agent(150)).warnings == ()


@pytest.mark.parametrize(
    ("P", "y", "problem"),
    [
        (np.full((3, 2), np.nan), np.zeros(3, int), "no opinion on any of 3 cases"),
        (np.zeros((0, 2)), np.zeros(0, int), "no opinion on any of 0 cases"),
        (np.full((3, 4), 0.25), np.zeros(3, int), "have shape"),
    ],
)
def test_nothing_to_learn_from(P, y, problem):
    with pytest.raises(DataError, match=problem):
        profile("a", TASK, P, y)


def test_a_track_record_counts_similar_scores():
    scores = np.r_[np.full(20, 0.9), np.full(20, 0.93), np.full(20, 0.5)]
    correct = np.r_[np.ones(18, bool), np.zeros(2, bool), np.ones(20, bool), np.zeros(20, bool)]
    near = track(0.9, scores, correct, neighbours=20)
    assert near is not None
    assert (near.n, near.right) == (20, 18)
    assert 0.65 < near.low < 0.9 < near.high < 1
    wider = track(0.9, scores, correct)
    assert wider is not None
    assert (wider.n, wider.right) == (40, 38)


def test_no_track_record_without_similar_cases():
    scores, correct = np.full(40, 0.9), np.ones(40, bool)
    assert track(0.7, scores, correct) is None
    assert track(0.9, scores[:9], correct[:9]) is None
    assert track(0.9, scores[:0], correct[:0]) is None


def test_ties_are_counted_whole():
    found = track(0.9, np.full(200, 0.9), np.arange(200) % 2 == 0)
    assert found is not None
    assert (found.n, found.right) == (200, 100)


def test_all_right_is_not_certain():
    """Wilson's interval of 9 of 9 is 0.7008 to 1; a bootstrap would say 1 to 1."""
    nine = share(np.ones(9, bool))
    assert (nine.value, nine.high) == (1.0, pytest.approx(1.0))
    assert nine.low == pytest.approx(0.7008, abs=1e-4)
    assert share(np.zeros(9, bool)).high == pytest.approx(1 - 0.7008, abs=1e-4)
    mixed = share(np.arange(40) % 4 > 0)
    assert mixed.low < 0.75 < mixed.high < 1
