"""What every fusion rule must do, whoever wrote it."""

import json

import numpy as np
import pytest

from doubleread.core.errors import DataError, NotFitted
from doubleread.core.ports import FusionRule
from doubleread.orchestrator.fusion import FUSION_RULES, restore_rule
from doubleread.orchestrator.simplex import shares

NAMES = FUSION_RULES.names()
PRIOR = np.array([0.5, 0.3, 0.2])


def panel(n=90, agents=3, k=3, seed=0, missing=0.1, skill=2.0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % k
    logits = rng.normal(size=(n, agents, k))
    logits[np.arange(n), :, y] += skill
    p = np.exp(logits)
    p /= p.sum(axis=2, keepdims=True)
    p[rng.random((n, agents)) < missing] = np.nan
    return p, y


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def fitted():
    P, y = panel()
    return {name: FUSION_RULES.get(name)().fit(P, y, PRIOR) for name in NAMES}


def test_is_a_rule_that_names_itself(name):
    rule = FUSION_RULES.get(name)()
    assert isinstance(rule, FusionRule)
    assert rule.kind == name


def test_unfitted_raises(name):
    rule = FUSION_RULES.get(name)()
    with pytest.raises(NotFitted):
        rule.fuse(panel()[0])
    with pytest.raises(NotFitted):
        rule.params()


def test_gives_posteriors(name, fitted):
    P, _ = panel(seed=1)
    fused = fitted[name].fuse(P)
    assert fused.shape == (90, 3)
    assert np.allclose(fused.sum(axis=1), 1)
    assert (fused > 0).all()


def test_is_better_than_chance_and_than_most(name, fitted):
    P, y = panel(seed=1, n=300)
    fused = (fitted[name].fuse(P).argmax(axis=1) == y).mean()
    single = np.mean([(np.nan_to_num(P[:, a]).argmax(axis=1) == y).mean() for a in range(3)])
    assert fused > single


def test_nobody_spoke_gives_the_prior(name, fitted):
    fused = fitted[name].fuse(np.full((2, 3, 3), np.nan))
    assert fused == pytest.approx(np.tile(PRIOR, (2, 1)))


def test_travels_as_json_exactly(name, fitted):
    P, _ = panel(seed=2)
    again = restore_rule(json.loads(json.dumps(fitted[name].params())))
    assert (again.fuse(P) == fitted[name].fuse(P)).all()


def test_cases_do_not_touch_each_other(name, fitted):
    P, _ = panel(seed=3)
    whole = fitted[name].fuse(P)
    alone = fitted[name].fuse(P[5:6])
    assert alone[0] == pytest.approx(whole[5])


def test_an_agent_never_heard_is_ignored(name):
    P, y = panel(missing=0.0)
    mute = np.full((90, 1, 3), np.nan)
    with_mute = FUSION_RULES.get(name)().fit(np.concatenate([P, mute], axis=1), y, PRIOR)
    noise = np.tile([0.98, 0.01, 0.01], (90, 1))[:, None]
    heard = with_mute.fuse(np.concatenate([P, noise], axis=1))
    unheard = with_mute.fuse(np.concatenate([P, mute], axis=1))
    assert (heard == unheard).all()
    without = FUSION_RULES.get(name)().fit(P, y, PRIOR).fuse(P)
    assert heard == pytest.approx(without, abs=1e-3)  # the optimiser stops elsewhere


@pytest.mark.parametrize(
    ("P", "y"),
    [
        (np.full((4, 2, 3), 1 / 3), np.array([0, 1, 2, 0])),
        (np.tile([0.9, 0.05, 0.05], (6, 2, 1)), np.zeros(6, int)),
        (np.array([[[0.6, 0.3, 0.1], [np.nan] * 3]]), np.array([1])),
        (np.repeat(np.eye(3)[[0, 1, 2] * 5][:, None], 2, axis=1), np.array([0, 1, 2] * 5)),
    ],
    ids=["nobody knows", "one label", "one case, one voice", "certain and right, five a label"],
)
def test_survives_few_and_degenerate_labels(name, P, y):
    fused = FUSION_RULES.get(name)().fit(P, y, PRIOR).fuse(P)
    assert np.isfinite(fused).all()
    assert np.allclose(fused.sum(axis=1), 1)


def test_refuses_what_does_not_fit(name, fitted):
    P, y = panel()
    with pytest.raises(DataError, match="have shape"):
        fitted[name].fuse(P[:, :2])
    with pytest.raises(DataError, match="have shape"):
        FUSION_RULES.get(name)().fit(P, y[:-1], PRIOR)
    with pytest.raises(DataError, match="no agent gave an opinion"):
        FUSION_RULES.get(name)().fit(np.full((3, 2, 3), np.nan), y[:3], PRIOR)
    with pytest.raises(DataError, match="kind"):
        FUSION_RULES.get(name).from_params({"kind": "other"})


@pytest.mark.parametrize("name", sorted(FUSION_RULES.having("prior")))
def test_a_rarer_label_becomes_less_probable(name):
    P, y = panel()
    same = FUSION_RULES.get(name)().fit(P, y, shares(y, 3)).fuse(P)
    rare = FUSION_RULES.get(name)().fit(P, y, np.array([0.05, 0.475, 0.475])).fuse(P)
    assert (rare[:, 0] < same[:, 0]).all()
