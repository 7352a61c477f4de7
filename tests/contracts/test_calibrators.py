"""What every calibrator must do, whoever wrote it."""

import json

import numpy as np
import pytest

from doubleread.core.errors import DataError, NotFitted
from doubleread.core.ports import Calibrator
from doubleread.orchestrator.calibration import CALIBRATORS, restore_calibrator

NAMES = CALIBRATORS.names()


def sample(n=120, k=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(k, size=n)
    logits = 2 * rng.normal(size=(n, k))
    logits[np.arange(n), y] += 2
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), y


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_is_a_calibrator_that_names_itself(name):
    made = CALIBRATORS.get(name)()
    assert isinstance(made, Calibrator)
    assert made.kind == name


def test_unfitted_raises(name):
    made = CALIBRATORS.get(name)()
    with pytest.raises(NotFitted):
        made.apply(np.full((1, 3), 1 / 3))
    with pytest.raises(NotFitted):
        made.params()


def test_gives_distributions_strictly_inside(name):
    P, y = sample()
    made = CALIBRATORS.get(name)()
    assert made.fit(P, y) is made
    corners = np.vstack([P, np.eye(3)])
    out = made.apply(corners)
    assert out.shape == corners.shape
    assert np.allclose(out.sum(axis=1), 1)
    assert (out > 0).all()
    assert (out < 1).all()


def test_travels_as_json_exactly(name):
    P, y = sample()
    made = CALIBRATORS.get(name)().fit(P, y)
    again = restore_calibrator(json.loads(json.dumps(made.params())))
    assert (again.apply(P) == made.apply(P)).all()
    assert again.params() == made.params()


def test_refuses_foreign_parameters(name):
    P, y = sample()
    params = CALIBRATORS.get(name)().fit(P, y).params()
    with pytest.raises(DataError, match="kind"):
        CALIBRATORS.get(name).from_params({**params, "kind": "other"})
    with pytest.raises(DataError, match="cannot be used"):
        CALIBRATORS.get(name).from_params({"kind": name, "n": "many"})


def test_abstentions_pass_through_and_teach_nothing(name):
    P, y = sample()
    gaps = P.copy()
    gaps[::3] = np.nan
    kept = ~np.isnan(gaps).any(axis=1)
    made = CALIBRATORS.get(name)().fit(gaps, y)
    out = made.apply(gaps)
    assert np.isnan(out[~kept]).all()
    assert (out[kept] == CALIBRATORS.get(name)().fit(P[kept], y[kept]).apply(P[kept])).all()
    with pytest.raises(DataError, match="no opinion"):
        CALIBRATORS.get(name)().fit(np.full((4, 3), np.nan), np.zeros(4, int))


@pytest.mark.parametrize(
    ("P", "y"),
    [
        (np.tile([0.98, 0.01, 0.01], (20, 1)), np.zeros(20, int)),
        (np.eye(3)[[0, 1, 2] * 10], np.array([0, 1, 2] * 10)),
        (np.tile([0.7, 0.2, 0.1], (30, 1)), np.array([0, 1, 2] * 10)),
        (np.array([[0.6, 0.3, 0.1]]), np.array([1])),
        (np.full((5, 3), 1 / 3), np.array([0, 1, 2, 0, 1])),
    ],
    ids=["one label, all right", "certain and right", "constant", "one case", "knows nothing"],
)
def test_survives_degenerate_samples(name, P, y):
    made = CALIBRATORS.get(name)().fit(P, y)
    out = made.apply(np.vstack([P, [0.2, 0.5, 0.3]]))
    assert np.allclose(out.sum(axis=1), 1)
    assert (out > 0).all()
    assert (out < 1).all()
    restore_calibrator(made.params())


def test_refuses_another_number_of_labels(name):
    made = CALIBRATORS.get(name)().fit(*sample())
    with pytest.raises(DataError, match="2 labels given, fitted on 3"):
        made.apply(np.full((1, 2), 0.5))
