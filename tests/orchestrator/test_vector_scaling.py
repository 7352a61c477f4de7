"""Vector scaling: agents that favour a label, and agents that do not."""

import json

import numpy as np
import pytest

from doubleread.orchestrator import metrics
from doubleread.orchestrator.calibration import restore_calibrator
from doubleread.orchestrator.calibration.temperature import Temperature
from doubleread.orchestrator.calibration.vector import SOFTENING, VectorScaling
from doubleread.orchestrator.simplex import softmax


def drawn(n, seed=0):
    """Moderate distributions from which the labels are really drawn."""
    rng = np.random.default_rng(seed)
    p = softmax(1.2 * rng.normal(size=(n, 3)))
    return p, np.array([rng.choice(3, p=row) for row in p])


def favouring(p, bias):
    """What an agent says that sees ``p`` and adds ``bias`` to each label's logit."""
    return softmax(np.log(p) + np.array(bias))


def test_a_known_bias_is_recovered():
    p, y = drawn(3000)
    made = VectorScaling().fit(favouring(p, [1.5, 0.0, -0.5]), y)
    biases = np.array(made.fitted.biases)
    assert biases[1] - biases[0] == pytest.approx(1.5, abs=0.25)
    assert biases[1] - biases[2] == pytest.approx(-0.5, abs=0.25)
    assert made.fitted.slopes == pytest.approx([1.0] * 3, abs=0.2)


def test_the_map_is_that_of_its_formula():
    p, y = drawn(60)
    made = VectorScaling().fit(p, y)
    logits = np.log(p[0] + SOFTENING) * made.fitted.slopes + made.fitted.biases
    assert made.apply(p)[0] == pytest.approx(np.exp(logits) / np.exp(logits).sum())


def test_it_mends_a_bias_that_temperature_cannot_and_does_no_harm_without_one():
    p, y = drawn(2400)
    fit, new = slice(1200), slice(1200, None)

    def losses(said):
        made = (kind().fit(said[fit], y[fit]) for kind in (VectorScaling, Temperature))
        return [metrics.nll(one.apply(said[new]), y[new]) for one in made]

    vector, temperature = losses(favouring(p, [2.0, 0.0, 0.0]))
    assert vector < temperature - 0.1
    assert vector == pytest.approx(metrics.nll(p[new], y[new]), abs=0.02)
    vector, temperature = losses(p)
    assert vector == pytest.approx(temperature, abs=0.01)


def test_with_few_cases_it_stays_close_to_temperature_and_says_so():
    p, y = drawn(18, seed=3)
    vector, temperature = VectorScaling().fit(p, y), Temperature().fit(p, y)
    assert np.abs(vector.apply(p) - temperature.apply(p)).mean() < 0.1
    assert "cases of the rarest label: the prior has more influence than these cases" in vector.note


def test_it_travels_as_json_exactly():
    p, y = drawn(60)
    made = VectorScaling().fit(p, y)
    assert (restore_calibrator(json.loads(json.dumps(made.params()))).apply(p) == made.apply(p)).all()
