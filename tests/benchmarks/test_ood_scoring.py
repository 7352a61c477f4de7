import numpy as np
import pytest
from kit import TASK, case_of, evidence_for, opinion
from sklearn.metrics import roc_auc_score

from benchmarks.ood_scoring import Scored, alarms, auroc, first_opinions, gain, mean_over, passed_at_95, scores
from doubleread.core.opinion import Abstention
from doubleread.core.verdict import Decision, Verdict

AGENTS = ("discriminant", "logistic", "zero-shot")


def arr(*values):
    return np.array(values, dtype=float)


def test_auroc_by_hand():
    # of the six pairs four are in order and one is a tie
    assert auroc(arr(1, 2, 4), arr(2, 5)) == pytest.approx(4.5 / 6)
    assert auroc(arr(1, 2), arr(3)) == 1
    assert auroc(arr(3), arr(1, 2)) == 0
    assert np.isnan(auroc(arr(), arr(1)))


def test_auroc_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    familiar, unfamiliar = rng.integers(0, 9, 60).astype(float), rng.integers(3, 12, 40).astype(float)
    truth, every = np.repeat([0, 1], [60, 40]), np.concatenate([familiar, unfamiliar])
    assert auroc(familiar, unfamiliar) == pytest.approx(roc_auc_score(truth, every))


def test_what_passes_at_95():
    familiar = np.arange(20, dtype=float)  # 19 of 20 score 18 or less
    assert passed_at_95(familiar, arr(17, 18, 19, 25)) == 0.5
    assert np.isnan(passed_at_95(familiar, arr()))


def panels():
    """Two panels on six cases; the last is neither familiar nor unfamiliar to the second."""
    truth = np.array([False, False, False, True, True, True])
    one = Scored({"a": arr(0, 1, 2, 3, 4, 5), "b": arr(0, 1, 2, 2, 1, 0)}, ~truth, truth, truth)
    two = Scored(one.scores, ~truth, truth & (np.arange(6) < 5), np.array([True, False, False, False, True, True]))
    return [one, two]


def test_means_over_panels_and_gains():
    groups = [str(i) for i in range(6)]
    assert mean_over(panels(), "a", groups).value == 1
    # b: of nine pairs 3 are in order and 3 tied, of six pairs 3 and 2
    assert mean_over(panels(), "b", groups).value == pytest.approx((4.5 / 9 + 4 / 6) / 2)
    better = gain(panels(), "a", "b", groups)
    assert better.value == pytest.approx(1 - (4.5 / 9 + 4 / 6) / 2)
    assert better.low <= better.value <= better.high


def test_alarms_among_the_unfamiliar_and_the_familiar():
    groups = [str(i) for i in range(6)]
    assert alarms(panels(), groups, unfamiliar=True).value == pytest.approx((1 + 1 / 2) / 2)
    assert alarms(panels(), groups, unfamiliar=False).value == pytest.approx((0 + 1 / 3) / 2)


def verdict(name, *shares, similarity=0.9):
    said = (
        opinion("discriminant", *shares),
        opinion("logistic", 0.5, 0.25, 0.25),
        opinion("logistic", 1.0, 0.0, 0.0, round=2),
    )
    return Verdict(
        case=case_of(name),
        task=TASK.id,
        posterior=dict(zip(TASK.names, shares, strict=True)),
        decision=Decision(action="refer"),
        opinions=said,
        abstentions=(Abstention(agent="zero-shot", cause="no-text-encoder"),),
        evidence=evidence_for("rust", similarity=similarity),
    )


def test_scores_of_verdicts_by_hand():
    found = scores([verdict("one", 1.0, 0.0, 0.0), verdict("two", 0.5, 0.5, 0.0)], AGENTS, TASK)
    np.testing.assert_allclose(found["posterior.msp"], [-1, -0.5])
    np.testing.assert_allclose(found["discriminant.entropy"], [0, np.log(2)])
    np.testing.assert_allclose(found["cooked.msp"], [-0.75, -0.5])
    np.testing.assert_allclose(found["nearest-case"], [-0.9, -0.9])
    assert "zero-shot.msp" not in found


def test_first_opinions_are_those_of_the_first_round():
    said = first_opinions([verdict("one", 0.6, 0.3, 0.1)], AGENTS, TASK)
    np.testing.assert_allclose(said[0, :2], [[0.6, 0.3, 0.1], [0.5, 0.25, 0.25]])
    assert np.isnan(said[0, 2]).all()
