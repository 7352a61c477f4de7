"""Opinions are brought to the label shares of the calibration cases before they are calibrated."""

import numpy as np
import pytest
from kit import TASK, opinion

from doubleread.core.opinion import Abstention
from doubleread.orchestrator.learning.assumed_prior import assumed_priors, at_shares, stated_priors
from doubleread.orchestrator.learning.choice import AUTO, choose
from doubleread.orchestrator.learning.fusion_learning import Learned, Sample, learn
from doubleread.orchestrator.metrics import nll

SHARES = np.array([0.9, 0.1])
BALANCED = np.array([0.5, 0.5])


def exact(n, seed, agents=3, skill=1.5):
    """Independent agents that state exact posteriors under equal label frequencies, labels 90/10, and Bayes' answer."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < SHARES[1]).astype(np.int64)
    scores = rng.normal(size=(n, agents)) + np.where(y == 1, skill / 2, -skill / 2)[:, None]
    rare = 1 / (1 + np.exp(-skill * scores))
    odds = SHARES[1] / SHARES[0] * np.prod(rare / (1 - rare), axis=1)
    bayes = np.column_stack([1 / (1 + odds), odds / (1 + odds)])
    return np.stack([1 - rare, rare], axis=2), y, bayes


def test_an_opinion_moves_by_the_ratio_of_the_shares():
    raw = np.array([[[0.5, 0.5], [0.6, 0.4], [np.nan, np.nan]]])
    found = at_shares(raw, (BALANCED, None, BALANCED), SHARES)
    assert found[0, 0] == pytest.approx([0.9, 0.1])  # an agent that knows nothing knows the shares
    assert found[0, 1].tolist() == [0.6, 0.4]
    assert np.isnan(found[0, 2]).all()
    assert at_shares(raw, (SHARES, None, None), SHARES)[0, 0] == pytest.approx([0.5, 0.5])


def test_agents_declare_what_they_assume():
    said = opinion("a", 0.2, 0.7, 0.1)
    row = [said.model_copy(update={"prior": name}) for name in ("balanced", "support", "stated", "unknown")]
    priors = stated_priors(5, [[*row, Abstention(agent="e", cause="timeout")]])
    assert priors == ("balanced", "support", "stated", "unknown", None)
    support = np.array([0.7, 0.2, 0.1])
    found = assumed_priors(priors, TASK, support)
    assert [None if one is None else one.tolist() for one in found[:2]] == [[1 / 3] * 3, support.tolist()]
    assert found[2].tolist() == TASK.prior_vector().tolist()
    assert found[3:] == (None, None)


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "unknown, learned"])
def test_on_rare_labels_the_panel_comes_close_to_bayes(declared):
    raw, y, _ = exact(2000, 0)
    fresh, truth, bayes = exact(4000, 1)
    assumed = (BALANCED,) * 3 if declared else (None,) * 3
    found = choose(raw, Sample(y, assumed=assumed), calibrator=AUTO, rule=AUTO)
    assert nll(found.learned.fuse(fresh), truth) < nll(bayes, truth) + 0.01


def test_temperature_alone_cannot_mend_a_wrong_prior():
    """The negative control: the same agents, taken as if they had stated opinions at the shares of the cases."""
    raw, y, _ = exact(2000, 0)
    fresh, truth, bayes = exact(4000, 1)
    found = learn(raw, Sample(y), rule="log-pool", calibrator="temperature")
    assert nll(found.fuse(fresh), truth) > nll(bayes, truth) + 0.1


def test_a_few_cases_of_a_rare_label_are_enough_where_the_prior_is_declared():
    raw, y, _ = exact(60, 3)
    fresh, truth, bayes = exact(4000, 1)
    found = learn(raw, Sample(y, assumed=(BALANCED,) * 3), rule="log-pool", calibrator="temperature")
    assert nll(found.fuse(fresh), truth) < nll(bayes, truth) + 0.05


def test_what_is_assumed_travels_with_what_was_learned():
    raw, y, _ = exact(200, 4)
    found = learn(raw, Sample(y, assumed=(BALANCED, None, SHARES)), rule="log-pool")
    again = Learned.load(found.dump())
    assert (again.fuse(raw) == found.fuse(raw)).all()
    assert again.assumed[1] is None
    assert again.seen.tolist() == found.seen.tolist()
