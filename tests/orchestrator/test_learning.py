import json

import numpy as np
import pytest

from doubleread.core.errors import DataError, UnknownPart
from doubleread.orchestrator import metrics
from doubleread.orchestrator.learning.fusion_learning import Learned, Sample, learn
from doubleread.orchestrator.resampling import grouped_folds


def panel(n=120, seed=0, sharp=2.5):
    """Three over-confident readers of unequal skill, some answers missing; three cases a group."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n // 3) % 3, 3)
    logits = rng.normal(size=(n, 3, 3))
    logits[np.arange(n), :, y] += np.array([2.0, 1.5, 1.0])
    p = np.exp(sharp * logits)
    p /= p.sum(axis=2, keepdims=True)
    p[rng.random((n, 3)) < 0.1] = np.nan
    return p, y, [f"leaf {i // 3}" for i in range(n)]


def test_what_is_learned_holds_on_new_cases():
    raw, y, groups = panel(240)
    learned = learn(raw, Sample(y, groups))
    fresh, truth, _ = panel(600, seed=1)
    fused = learned.fuse(fresh)
    calibrated = learned.calibrate(fresh)
    best = calibrated[:, 0]
    there = ~np.isnan(best).any(axis=1)
    assert metrics.accuracy(fused, truth) > metrics.accuracy(best[there], truth[there])
    assert metrics.nll(fused, truth) < metrics.nll(best[there], truth[there])
    assert metrics.nll(learned.held_out, y) == pytest.approx(metrics.nll(fused, truth), abs=0.08)
    assert learned.folds == 5
    assert learned.silent == ()
    assert np.isnan(learned.held_out_calibrated).any(axis=2).tolist() == np.isnan(raw).any(axis=2).tolist()


@pytest.mark.parametrize("rule", ["panel-mean", "log-pool"])
@pytest.mark.parametrize("calibrator", ["temperature", "none"])
def test_a_fold_is_judged_without_its_own_labels(rule, calibrator):
    raw, y, groups = panel()
    folds = grouped_folds(y, groups, 3, seed=0)
    settings = {"rule": rule, "calibrator": calibrator}
    division = {"folds": folds, "prior": np.full(3, 1 / 3)}
    before = learn(raw, Sample(y, groups, **division), **settings)
    own = folds[1].test
    shuffled = y.copy()
    shuffled[own] = np.roll(y[own], 1) if (np.roll(y[own], 1) != y[own]).any() else (y[own] + 1) % 3
    after = learn(raw, Sample(shuffled, groups, **division), **settings)
    assert (after.held_out[own] == before.held_out[own]).all()
    assert np.array_equal(after.held_out_calibrated[own], before.held_out_calibrated[own], equal_nan=True)
    others = np.concatenate([folds[0].test, folds[2].test])
    assert (after.held_out[others] != before.held_out[others]).any()


def test_labels_without_signal_earn_no_confidence():
    raw, y, _ = panel(240)
    nonsense = np.random.default_rng(5).permutation(y)
    held_out = learn(raw, Sample(nonsense, [str(i) for i in range(240)])).held_out
    assert metrics.nll(held_out, nonsense) < np.log(3) + 0.12
    assert metrics.confidences(held_out).mean() < 0.55


def test_a_silent_agent_is_named_and_gets_no_weight():
    raw, y, groups = panel()
    raw[:, 1] = np.nan
    learned = learn(raw, Sample(y, groups))
    assert learned.silent == (1,)
    fresh, _, _ = panel(seed=1)
    assert np.isnan(learned.calibrate(fresh)[:, 1]).all()


@pytest.mark.parametrize("calibrator", ["temperature", "beta", "isotonic", "histogram", "none"])
def test_travels_as_json_exactly(calibrator):
    raw, y, groups = panel(60)
    raw[:, 2] = np.nan
    learned = learn(raw, Sample(y, groups, folds=2), rule="log-pool", calibrator=calibrator)
    again = Learned.load(json.loads(json.dumps(learned.dump())))
    fresh, _, _ = panel(60, seed=1)
    assert (again.fuse(fresh) == learned.fuse(fresh)).all()
    assert (again.held_out == learned.held_out).all()
    assert np.array_equal(again.held_out_calibrated, learned.held_out_calibrated, equal_nan=True)
    assert (again.notes, again.folds, again.silent) == (learned.notes, learned.folds, (2,))


def test_five_cases_a_label_are_enough_to_start():
    raw, y, _ = panel(240)
    few = np.concatenate([np.flatnonzero(y == label)[:5] for label in range(3)])
    learned = learn(raw[few], Sample(y[few]))
    fresh, truth, _ = panel(300, seed=2)
    assert metrics.nll(learned.fuse(fresh), truth) < 0.6
    assert "the prior" in " ".join(learned.notes)


def test_fewer_folds_are_noted():
    raw, y, _ = panel(90)
    learned = learn(raw, Sample(y, [str(i % 3) + str(label) for i, label in enumerate(y)]), rule="log-pool")
    assert learned.folds == 3
    assert learned.notes[0] == "cross-validated in 3 folds instead of 5: a label has too few groups for more"


def test_the_prior_is_the_label_shares_unless_given():
    raw, y, groups = panel(90)
    nobody = np.full((1, 3, 3), np.nan)
    assert learn(raw, Sample(y, groups), rule="log-pool").fuse(nobody)[0] == pytest.approx([1 / 3] * 3)
    prior = np.array([0.8, 0.1, 0.1])
    assert learn(raw, Sample(y, groups, prior), rule="log-pool").fuse(nobody)[0] == pytest.approx(prior)


def test_faults_are_named():
    raw, y, groups = panel(60)
    with pytest.raises(DataError, match="each label in at least 2 groups"):
        learn(raw, Sample(y, [str(label) for label in y]))
    with pytest.raises(UnknownPart, match="unknown fusion rule"):
        learn(raw, Sample(y, groups), rule="debate")
    with pytest.raises(UnknownPart, match="unknown calibrator"):
        learn(raw, Sample(y, groups), calibrator="platt")
    with pytest.raises(DataError, match="not a learned panel"):
        Learned.load({"rule": {}})
    with pytest.raises(DataError, match="no agent gave an opinion"):
        learn(np.full_like(raw, np.nan), Sample(y, groups))
