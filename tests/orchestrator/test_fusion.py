import numpy as np
import pytest

from doubleread.core.errors import UnknownPart
from doubleread.orchestrator import metrics
from doubleread.orchestrator.fusion import FUSION_RULES, restore_rule
from doubleread.orchestrator.fusion.confusion_bayes import ConfusionBayes
from doubleread.orchestrator.fusion.fusion_rule import effective
from doubleread.orchestrator.fusion.log_pool import LogPool
from doubleread.orchestrator.fusion.votes import ConfidenceWeighted, EceWeighted, Majority

UNIFORM = np.full(3, 1 / 3)


def reader(y, skill, seed, k=3):
    """A calibrated reader: the posterior of Gaussian scores that lean towards the truth by ``skill``."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(len(y), k))
    scores[np.arange(len(y)), y] += skill
    p = np.exp(skill * scores)
    return p / p.sum(axis=1, keepdims=True)


Y = np.arange(600) % 3
A, B, C = (reader(Y, skill, seed) for skill, seed in ((1.5, 1), (1.5, 2), (0.3, 3)))


def test_effective_number_of_opinions():
    m = np.array([0, 1, 2, 3])
    assert effective(m, 0.0).tolist() == [0, 1, 2, 3]
    assert effective(m, 1.0).tolist() == [0, 1, 1, 1]
    assert effective(m, 0.5).tolist() == pytest.approx([0, 1, 4 / 3, 1.5])


def test_majority_by_hand():
    case = np.array([[[0.6, 0.4, 0.0], [0.6, 0.3, 0.1], [0.0, 0.1, 0.9]]])
    fused = Majority().fit(np.repeat(case, 3, axis=0), np.arange(3), UNIFORM).fuse(case)
    mean = case[0].mean(axis=0)
    assert fused[0] == pytest.approx((np.array([2, 0, 1]) + 0.5 * mean) / 3.5, abs=1e-6)


def test_confidence_decides_a_weighted_vote():
    case = np.array([[[0.5, 0.3, 0.2], [0.4, 0.3, 0.3], [0.0, 0.05, 0.95]]])
    rule = ConfidenceWeighted().fit(np.repeat(case, 3, axis=0), np.arange(3), UNIFORM)
    assert rule.fuse(case).argmax() == 2
    assert Majority().fit(np.repeat(case, 3, axis=0), np.arange(3), UNIFORM).fuse(case).argmax() == 0


def test_ece_weights_trust_the_calibrated():
    sure = np.where(np.eye(3)[B.argmax(axis=1)] == 1, 0.98, 0.01)
    opinions = np.stack([A, sure], axis=1)
    factors = EceWeighted().fit(opinions, Y, UNIFORM).fitted.factors
    expected = metrics.ece(metrics.confidences(sure), metrics.correctness(sure, Y), 10)
    assert factors[1] == pytest.approx(1 - expected)
    assert factors[0] > factors[1]


def test_an_agent_alone_is_taken_at_its_word():
    rule = LogPool().fit(np.stack([A, B], axis=1), Y, UNIFORM)
    lone = np.stack([A, np.full_like(A, np.nan)], axis=1)
    assert rule.fuse(lone) == pytest.approx(A, abs=5e-3)


def test_independent_evidence_adds_up():
    rule = LogPool().fit(np.stack([A, B], axis=1), Y, UNIFORM)
    product = A * B / (A * B).sum(axis=1, keepdims=True)
    assert rule.fitted.rho < 0.15
    assert rule.fuse(np.stack([A, B], axis=1)) == pytest.approx(product, abs=0.06)


@pytest.mark.parametrize("name", ["log-pool", "confusion-bayes", "stacking", "panel-mean"])
def test_a_copy_adds_nothing(name):
    one = FUSION_RULES.get(name)().fit(A[:, None], Y, UNIFORM).fuse(A[:, None])
    twice = np.stack([A, A], axis=1)
    rule = FUSION_RULES.get(name)().fit(twice, Y, UNIFORM)
    later = reader(Y, 1.5, 9)
    fresh = rule.fuse(np.stack([later, later], axis=1))
    assert np.abs(rule.fuse(twice) - one).mean() < 0.03
    confidence, correct = metrics.confidences(fresh), metrics.correctness(fresh, Y)
    assert confidence.mean() < correct.mean() + 0.04


@pytest.mark.parametrize("name", ["log-pool", "confusion-bayes", "stacking", "panel-mean"])
def test_the_panel_is_hardly_worse_than_its_best_member(name):
    opinions, later = np.stack([A, C], axis=1), np.stack([reader(Y, 1.5, 11), reader(Y, 0.3, 12)], axis=1)
    fused = FUSION_RULES.get(name)().fit(opinions, Y, UNIFORM).fuse(later)
    slack = 0.03 if name != "confusion-bayes" else 0.12  # it sees three confidence bins only
    assert metrics.nll(fused, Y) < metrics.nll(later[:, 0], Y) + slack


def test_confusion_bayes_learns_a_systematic_error():
    said = np.where(Y == 2, 1, Y)
    P = np.where(np.eye(3)[said] == 1, 0.8, 0.1)[:, None]
    fused = ConfusionBayes().fit(P, Y, UNIFORM).fuse(P)
    assert fused[Y == 0][:, 0].min() > 0.9
    assert fused[Y == 1][0, 1:] == pytest.approx([0.5, 0.5], abs=0.03)


def test_confusion_bayes_by_hand():
    # One agent, two labels, 3 + 1 answers a label; one confidence bin; no shrinkage to speak of at prior strength 1.
    y = np.array([0] * 4 + [1] * 4)
    said = np.array([0, 0, 0, 1, 1, 1, 1, 0])
    P = np.where(np.eye(2)[said] == 1, 0.7, 0.3)[:, None]
    rule = ConfusionBayes().fit(P, y, np.full(2, 0.5))
    accuracy, strength = 7 / 10, rule.fitted.strength
    right, wrong = (3 + strength * accuracy) / (4 + strength), (1 + strength * (1 - accuracy)) / (4 + strength)
    counts = np.array(rule.fitted.agents[0].surety)
    bins = (counts.max(axis=1) + 1) / (counts.sum(axis=1) + counts.shape[1])
    odds = right * bins[1] / (wrong * bins[0])
    p = odds / (1 + odds)
    doubt = rule.fitted.doubt
    assert rule.fuse(P[:1])[0, 0] == pytest.approx((1 - doubt) * p + doubt / 2)
    assert doubt == pytest.approx(1 / 18)


def test_unanimity_is_never_certainty():
    P = np.tile([0.999998, 1e-6, 1e-6], (40, 3, 1))
    y = np.zeros(40, int)
    assert FUSION_RULES.get("panel-mean")().fit(P, y, UNIFORM).fuse(P).max() < 1 - 1 / 200


def test_an_unknown_rule_is_named_with_the_known_ones():
    with pytest.raises(UnknownPart, match="unknown fusion rule 'debate'; known: confidence-weighted, confusion-bayes"):
        restore_rule({"kind": "debate"})
