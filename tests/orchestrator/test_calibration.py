import json
import subprocess
import sys

import numpy as np
import pytest

from doubleread.core.errors import UnknownPart
from doubleread.orchestrator import metrics
from doubleread.orchestrator.calibration import CALIBRATORS, _netcal_fits, restore_calibrator
from doubleread.orchestrator.calibration.temperature import Temperature


def true_probabilities(n, k=3, seed=0):
    """Distributions from which the labels are really drawn."""
    rng = np.random.default_rng(seed)
    logits = 2.5 * rng.normal(size=(n, k))
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    return p, np.array([rng.choice(k, p=row) for row in p])


def sharpened(p, power):
    q = p**power
    return q / q.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", ["temperature", "vector", "beta", "histogram", "isotonic"])
@pytest.mark.parametrize("power", [3.0, 0.4])
def test_a_known_miscalibration_is_mended(name, power):
    p, y = true_probabilities(2400)
    q = sharpened(p, power)
    made = CALIBRATORS.get(name)().fit(q[:1200], y[:1200])
    before, after, truth = q[1200:], made.apply(q[1200:]), y[1200:]
    assert metrics.nll(after, truth) < metrics.nll(before, truth) - 0.02
    coarse = 0.1 if name == "histogram" else 0.06  # ten bins cannot tell .94 from .999
    assert metrics.nll(after, truth) < metrics.nll(p[1200:], truth) + coarse
    confidence, correct = metrics.confidences(after), metrics.correctness(after, truth)
    assert metrics.ece(confidence, correct) < 0.06


def test_temperature_finds_the_power():
    p, y = true_probabilities(3000)
    assert Temperature().fit(sharpened(p, 2.0), y).fitted.temperature == pytest.approx(2.0, rel=0.1)
    assert Temperature().fit(p, y).fitted.temperature == pytest.approx(1.0, rel=0.1)


def test_five_lucky_cases_do_not_make_certainty():
    p = np.tile([0.8, 0.2], (5, 1))
    made = Temperature().fit(p, np.zeros(5, int))
    assert 0.8 < made.apply(p)[0, 0] < 0.95
    assert "5 cases" in made.note


@pytest.mark.filterwarnings("ignore:independent is deprecated:DeprecationWarning")  # pyro, below netcal
@pytest.mark.parametrize(
    ("fit", "model"),
    [("fit_beta", "BetaCalibration"), ("fit_histogram", "HistogramBinning"), ("fit_isotonic", "IsotonicRegression")],
)
def test_extracted_maps_are_those_of_netcal(fit, model):
    import netcal.binning
    import netcal.scaling

    rng = np.random.default_rng(0)
    scores = rng.uniform(0.01, 0.99, 300)
    outcomes = (rng.random(300) < scores**2).astype(int)
    fitted = getattr(_netcal_fits, fit)(scores, outcomes)
    reference = getattr(netcal.scaling, model, None) or getattr(netcal.binning, model)
    theirs = reference().fit(scores, outcomes).transform(np.linspace(0.001, 0.999, 401))
    assert fitted(np.linspace(0.001, 0.999, 401)) == pytest.approx(np.ravel(theirs), abs=1e-5)


@pytest.mark.parametrize("name", ["histogram", "isotonic"])
def test_small_samples_are_named(name):
    p, y = true_probabilities(90)
    made = CALIBRATORS.get(name)().fit(p, y)
    assert "use 'temperature'" in made.note
    p, y = true_probabilities(600)
    assert CALIBRATORS.get(name)().fit(p, y).note == ""


def test_an_unknown_calibrator_is_named_with_the_known_ones():
    with pytest.raises(UnknownPart, match="unknown calibrator 'platt'; known: beta, histogram, isotonic, none, temp"):
        restore_calibrator({"kind": "platt"})


def test_applying_needs_no_netcal():
    made = CALIBRATORS.get("beta")().fit(*true_probabilities(60))
    code = (
        "import sys, json, numpy as np\n"
        "from doubleread.orchestrator.calibration import restore_calibrator\n"
        "restore_calibrator(json.loads(sys.argv[1])).apply(np.full((1, 3), 1 / 3))\n"
        "assert not {'netcal', 'sklearn', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, json.dumps(made.params())], check=True)
