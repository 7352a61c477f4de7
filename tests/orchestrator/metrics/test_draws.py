"""One set of bootstrap draws for all figures."""

import numpy as np
import pytest

from doubleread.orchestrator import metrics
from doubleread.orchestrator.metrics.draws import Draws, certain, estimate, percentiles, with_wilson
from doubleread.orchestrator.metrics.metric import MetricSample
from doubleread.orchestrator.metrics.ranking_metrics import ranking_scores
from doubleread.orchestrator.resampling import bootstrap, group_codes
from doubleread.orchestrator.trust.profile import share

RNG = np.random.default_rng(7)
VALUES = RNG.normal(size=60)
FLAGS = RNG.random(60) < 0.7
GROUPS = [None if i % 5 == 0 else f"g{i // 4}" for i in range(60)]


@pytest.mark.parametrize("groups", [GROUPS, [None] * 60], ids=["groups", "cases"])
def test_the_intervals_are_those_of_the_one_by_one_bootstrap(groups):
    draws = Draws(groups, draws=300, seed=3)
    slow = bootstrap(lambda rows: float(VALUES[rows].mean()), 60, 300, 3, groups)
    assert draws.mean(VALUES).model_dump() == pytest.approx(slow.model_dump())
    assert draws.share(FLAGS).model_dump() == pytest.approx(share(FLAGS, groups, 3, 300).model_dump())


def expanded(draws, groups):
    """The rows of each draw, one by one."""
    codes = group_codes(groups, len(groups))
    for counts in draws.counts:
        yield np.repeat(np.arange(len(groups)), counts[codes])


def ranking(confidence, correct, draws, rows):
    """Two labels; the confidence is that of the first, and correctness says whether it is true."""
    return ranking_scores(MetricSample(np.stack([confidence, 1 - confidence], axis=1), (~correct) * 1, draws, rows))


def test_ranking_figures_are_those_of_the_rows_of_each_draw():
    confidence = np.round(RNG.uniform(0.5, 1, 60), 1)  # many ties
    draws = Draws(GROUPS, draws=40, seed=1)
    rows = RNG.random(60) < 0.8
    found = ranking(confidence[rows], FLAGS[rows], draws, rows)
    for i, drawn in enumerate(expanded(draws, GROUPS)):
        kept = drawn[rows[drawn]]
        c, right = confidence[kept], FLAGS[kept]
        assert found.aurc[i] == pytest.approx(metrics.aurc(c, right))
        errors, n = (~right).sum(), len(right)
        best = sum(max(0, r - (n - errors)) / r for r in range(1, n + 1)) / n  # the errors come last
        assert found.e_aurc[i] == pytest.approx(metrics.aurc(c, right) - best)
        above = (c[right][:, None] > c[~right][None]).mean() + (c[right][:, None] == c[~right][None]).mean() / 2
        assert found.failure_auroc[i] == pytest.approx(above)


def test_a_ranking_by_hand():
    everything = np.ones(4, bool)
    draws = Draws([None] * 4, draws=1, seed=0)
    found = ranking(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, True]), draws, everything)
    assert found.aurc[0] == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert found.e_aurc[0] == pytest.approx((1 / 2 + 1 / 3) / 4)
    assert found.failure_auroc[0] == pytest.approx(1 / 3)
    assert np.isnan(ranking(np.array([0.9] * 4), everything, draws, everything).failure_auroc[0])


def test_percentiles_are_those_of_the_rows_of_each_draw():
    draws = Draws(GROUPS, draws=40, seed=1)
    found = percentiles(VALUES, (0.5, 0.9, 0.99), draws)
    for i, drawn in enumerate(expanded(draws, GROUPS)):
        slow = np.quantile(VALUES[drawn], (0.5, 0.9, 0.99), method="inverted_cdf")
        assert [one[i] for one in found] == pytest.approx(slow.tolist())


def test_large_draws_are_made_in_parts_that_join():
    draws = Draws([None] * 3000, draws=999, seed=0)
    values = RNG.normal(size=3000)
    assert draws.counts.size > 2_000_000
    assert draws.total(values) == pytest.approx(draws.counts[:, draws.codes] @ values)


def test_alike_flags_have_wilson_s_interval():
    draws = Draws([None] * 9, draws=50, seed=0)
    right = np.ones(9, bool)
    low = metrics.wilson(9, 9).low
    assert draws.share(right).model_dump() == {"value": 1.0, "low": low, "high": 1.0}
    assert draws.share(~right).model_dump() == pytest.approx({"value": 0.0, "low": 0.0, "high": 1 - low})
    few = np.arange(9) < 4
    assert draws.share(right, few).low == metrics.wilson(4, 4).low


def test_nothing_to_average_is_no_figure():
    draws = Draws([None] * 3, draws=50, seed=0)
    assert draws.mean(np.ones(3), np.zeros(3, bool)) is None
    assert draws.share(np.ones(3, bool), np.zeros(3, bool)) is None
    assert estimate(np.array([np.nan, 1.0])) is None
    assert with_wilson(None, 0) is None


def test_draws_in_which_a_figure_is_undefined_are_left_out():
    assert certain(estimate(np.array([0.5, np.nan, 0.25, 0.25]))).low == 0.25


@pytest.mark.parametrize("size", [1, 5])
def test_intervals_cover_what_they_should_and_only_where_groups_stay_together(size):
    """300 samples of 40 groups whose cases are all alike; the true share is 0.7."""
    rng = np.random.default_rng(size)
    together = apart = 0
    for seed in range(300):
        flags = np.repeat(rng.random(40) < 0.7, size)
        groups = [f"g{i // size}" for i in range(len(flags))]
        grouped = Draws(groups, draws=200, seed=seed).share(flags)
        alone = Draws([None] * len(flags), draws=200, seed=seed).share(flags)
        together += grouped.low <= 0.7 <= grouped.high
        apart += alone.low <= 0.7 <= alone.high
    assert 0.90 <= together / 300 <= 0.98
    if size > 1:
        assert apart / 300 < 0.75
