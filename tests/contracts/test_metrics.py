"""What every metric must do, whoever declared it."""

import numpy as np
import pytest

from doubleread.core.trust import CalibrationError
from doubleread.orchestrator.metrics import METRICS, declared
from doubleread.orchestrator.metrics.draws import Draws
from doubleread.orchestrator.metrics.metric import EVERYWHERE, MetricSample


@pytest.fixture(params=METRICS.names())
def metric(request):
    return METRICS.get(request.param)


def forecasts(n=120, k=3, seed=0):
    rng = np.random.default_rng(seed)
    P = rng.dirichlet(np.full(k, 0.5), n)
    return P, (rng.random((n, 1)) > np.cumsum(P, axis=1)[:, :-1]).sum(axis=1)


def sample_of(P, y, draws=30):
    return MetricSample.of(P, y, Draws([f"g{i // 2}" for i in range(len(y))], draws=draws, seed=0))


def test_it_says_what_it_is(metric):
    assert METRICS.get(metric.name) is metric
    assert all((metric.title, metric.heading, metric.symbol, metric.about, metric.unit))
    assert metric.better in ("higher", "lower")
    assert metric.shown <= EVERYWHERE
    assert metric.display.value(0.5) in ("0.500", "50.0 %")


def test_the_first_of_the_draws_is_the_value(metric):
    P, y = forecasts()
    drawn = metric.drawn(sample_of(P, y))
    assert drawn.shape == (31,)
    assert drawn[0] == pytest.approx(metric.value(P, y))
    found = metric.found(sample_of(P, y))
    assert found.value == pytest.approx(drawn[0])
    if isinstance(found, CalibrationError):
        assert 0 < found.chance < found.chance_high
    else:
        assert found.low <= found.value <= found.high


def test_it_lies_on_its_side_and_a_share_between_0_and_1(metric):
    P, y = forecasts()
    perfect = np.eye(3)[y] * 0.97 + 0.01
    good, plain, wrong = (metric.value(p, y) for p in (perfect, P, perfect[:, [1, 2, 0]]))
    if metric.unit == "share":
        assert all(0 <= value <= 1 for value in (good, plain, wrong) if np.isfinite(value))
    if np.isfinite(good):
        assert metric.sign * good >= metric.sign * plain
    if np.isfinite(good) and np.isfinite(wrong):
        assert metric.sign * good >= metric.sign * wrong


def test_silent_and_unlabelled_cases_are_left_out(metric):
    P, y = forecasts()
    more = np.vstack([P, [[np.nan] * 3], [[0.2, 0.3, 0.5]]])
    draws = Draws([None] * 122, draws=5, seed=0)
    assert metric.drawn(MetricSample.of(more, np.array([*y, 0, -1]), draws))[0] == pytest.approx(metric.value(P, y))


def test_names_are_told_apart():
    names = [metric.name for metric in declared()]
    assert len(names) == len(set(names)) >= 14
    assert sorted(names) == list(METRICS.names())
