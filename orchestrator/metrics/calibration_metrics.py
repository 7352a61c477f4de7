"""Calibration errors with intervals, and their chance level.

All are computed from the sums of ``correct - confidence`` per bin. Bins are equal-width, open below and closed above (0
belongs to the first), or hold equally many cases. Bootstrap draws keep the bins of the sample.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from doubleread.core.trust import CalibrationError
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.metrics import BINS, bin_index, classwise_ece, ece
from doubleread.orchestrator.metrics.draws import certain, estimate, ratio
from doubleread.orchestrator.metrics.metric import Metric, MetricSample

SIMULATED = 400
"""Simulated label draws of a perfectly calibrated reader, from which the chance level is computed."""

Numbers = NDArray[np.int64]


def equal_mass_bins(confidence: Vector, bins: int) -> Numbers:
    """Bin index of each confidence, shape ``(n,)``, with equally many cases per bin up to ties.

    Equal confidences share a bin, so that the order of the cases does not matter; bins may be empty.
    """
    ranks = np.searchsorted(np.sort(confidence), confidence, side="right")
    return np.ceil(ranks * bins / max(len(confidence), 1) - 1e-9).astype(np.int64) - 1


@dataclass(frozen=True, kw_only=True)
class CalibrationMetric(Metric):
    """A calibration error over bins. ``of`` maps sums and sizes of bins, ``(…, bins)``, to ``(…)``."""

    of: Callable[[Matrix, Matrix], Vector]
    bins_of: Callable[[Vector, int], Numbers] = bin_index
    binning: str = "equal-width"
    better: Literal["higher", "lower"] = "lower"
    unit: str = "share"

    def drawn(self, sample: MetricSample) -> Vector:
        bins = self.bins_of(sample.confidence, sample.bins)
        columns = (sample.correct - sample.confidence, np.ones(len(sample.y)))
        return self.of(*(sample.draws.sums(_spread(values, bins, sample.bins), sample.rows) for values in columns))

    def by_chance(self, sample: MetricSample) -> Vector:
        """The error under each simulated draw of labels, shape ``(400,)``."""
        bins, said = self.bins_of(sample.confidence, sample.bins), sample.P.argmax(axis=1)
        sizes = np.bincount(bins, minlength=sample.bins).astype(float)
        drawn = sample.once(simulated)
        gaps = np.array([np.bincount(bins, (labels == said) - sample.confidence, sample.bins) for labels in drawn])
        return self.of(gaps, np.broadcast_to(sizes, gaps.shape))

    def value(self, P: Matrix, y: Labels) -> float:
        bins, said = self.bins_of(P.max(axis=1), BINS), P.argmax(axis=1)
        gaps = np.asarray(np.bincount(bins, (said == y) - P.max(axis=1), BINS)[None], float)
        return float(self.of(gaps, np.bincount(bins, minlength=BINS)[None].astype(float))[0])

    def found(self, sample: MetricSample) -> CalibrationError:
        return _error(self.drawn(sample), self.by_chance(sample), self.binning, sample.bins)


@dataclass(frozen=True, kw_only=True)
class _Classwise(CalibrationMetric):
    """Processes one label at a time: all columns together would cost far more with many labels."""

    def value(self, P: Matrix, y: Labels) -> float:
        return classwise_ece(P, y)

    def drawn(self, sample: MetricSample) -> Vector:
        P, cells = sample.P, bin_index(sample.P, sample.bins)
        total = np.zeros(len(sample.n))
        for label in range(P.shape[1]):
            gaps = _spread((sample.y == label) - P[:, label], cells[:, label], sample.bins)
            total += ratio(np.abs(sample.draws.sums(gaps, sample.rows)).sum(axis=1), sample.n)
        return np.asarray(total / P.shape[1])

    def by_chance(self, sample: MetricSample) -> Vector:
        (n, k), cells = sample.P.shape, bin_index(sample.P, sample.bins)
        expected = np.concatenate([np.bincount(cells[:, i], sample.P[:, i], sample.bins) for i in range(k)])
        present = (
            np.bincount(labels * sample.bins + cells[np.arange(n), labels], minlength=len(expected))
            for labels in sample.once(simulated)
        )
        return np.array([np.abs(counts - expected).sum() / (n * k) for counts in present])


def simulated(sample: MetricSample) -> list[Labels]:
    """Labels drawn from the distributions, as of a perfectly calibrated reader, each ``(m,)``."""
    steps, rng = np.cumsum(sample.P, axis=1)[:, :-1], np.random.default_rng(sample.draws.seed)
    return [(rng.random((len(sample.P), 1)) > steps).sum(axis=1) for _ in range(SIMULATED)]


def expected_error(sample: MetricSample) -> CalibrationError:
    """The ECE with the chance level of ``ece_chance``, for samples without other metrics."""
    rng, confidence = np.random.default_rng(sample.draws.seed), sample.confidence
    by_chance = [ece(confidence, rng.random(len(confidence)) < confidence, sample.bins) for _ in range(SIMULATED)]
    return _error(ECE.drawn(sample), np.array(by_chance), ECE.binning, sample.bins)


def _expected(gaps: Matrix, sizes: Matrix) -> Vector:
    return ratio(np.abs(gaps).sum(axis=-1), sizes.sum(axis=-1))


def _worst(gaps: Matrix, sizes: Matrix) -> Vector:
    filled = ratio(np.abs(gaps), sizes)
    worst = np.where(np.isnan(filled), -1, filled).max(axis=-1)
    return np.asarray(np.where(worst < 0, np.nan, worst))


def _spread(values: Vector, bins: Numbers, count: int) -> Matrix:
    """One column per bin, shape ``(n, count)``."""
    columns = np.zeros((len(values), count))
    columns[np.arange(len(values)), bins] = values
    return columns


def _error(values: Vector, simulated_values: Vector, binning: str, bins: int) -> CalibrationError:
    found = certain(estimate(values))
    return CalibrationError(
        value=found.value,
        low=found.low,
        high=found.high,
        bins=bins,
        binning=binning,
        chance=float(simulated_values.mean()),
        chance_high=float(np.quantile(simulated_values, 0.95)),
    )


ECE = CalibrationMetric(
    name="ece",
    title="ECE",
    about="expected calibration error",
    shown=frozenset(("summary", "readers", "report", "gates", "compare", "trust", "sweep")),
    rank=4,
    of=_expected,
)
ACE = CalibrationMetric(
    name="ace",
    title="ACE",
    about="adaptive calibration error",
    shown=frozenset(("gates",)),
    of=_expected,
    bins_of=equal_mass_bins,
    binning="equal-mass",
)
MCE = CalibrationMetric(
    name="mce", title="MCE", about="calibration error of the worst bin", shown=frozenset(("gates",)), of=_worst
)
CLASSWISE_ECE = _Classwise(
    name="classwise_ece",
    title="classwise ECE",
    about="mean calibration error over labels",
    shown=frozenset(("gates",)),
    of=_expected,
)
