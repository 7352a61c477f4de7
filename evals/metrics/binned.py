"""Calibration errors of the sample and of every draw, and those that sampling alone would give.

All are made of the signed sums of ``correct - confidence`` a bin; with the bins of ``orchestrator.metrics`` they are
its ``ece`` and ``classwise_ece``. Bins are those of the sample in every draw.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doubleread.core.trust import CalibrationError
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.evals.metrics.bootstrap import Draws, certain, estimate, ratio
from doubleread.orchestrator.metrics import Flags, bin_index, confidences, correctness

BINS = 15
SIMULATED = 400
"""Draws of a perfectly calibrated reader."""

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class CalibrationErrors:
    """Of one reader, see ``ReaderFigures``."""

    ece: CalibrationError
    ace: CalibrationError
    mce: CalibrationError
    classwise: CalibrationError


def calibration_errors(P: Matrix, y: Labels, draws: Draws, rows: Flags) -> CalibrationErrors:
    """Of distributions ``P``, shape ``(m, k)``, on the ``m`` cases ``rows`` with labels ``y``, shape ``(m,)``."""
    confidence, correct = confidences(P), correctness(P, y)
    plain, even = bin_index(confidence, BINS), equal_mass_bins(confidence, BINS)
    gaps = {name: draws.sums(_signed(confidence, correct, bins), rows) for name, bins in (("=", plain), ("~", even))}
    sizes = draws.sums(_spread(np.ones(len(y)), plain), rows)
    simulated = list(_calibrated(P, np.random.default_rng(draws.seed)))
    flags = [labels == P.argmax(axis=1) for labels in simulated]
    n = sizes.sum(axis=1)

    def floor(error: Callable[[Flags], float]) -> Vector:
        return np.array([error(one) for one in flags])

    return CalibrationErrors(
        ece=_error(_expected(gaps["="], n), floor(lambda one: _expected_of(confidence, one, plain)), "equal-width"),
        ace=_error(_expected(gaps["~"], n), floor(lambda one: _expected_of(confidence, one, even)), "equal-mass"),
        mce=_error(_worst(gaps["="], sizes), floor(lambda one: _worst_of(confidence, one, plain)), "equal-width"),
        classwise=_classwise(P, y, draws, rows, simulated),
    )


def expected_error(P: Matrix, y: Labels, draws: Draws, rows: Flags) -> CalibrationError:
    """The ECE alone; shapes as in ``calibration_errors``."""
    confidence = confidences(P)
    bins, rng = bin_index(confidence, BINS), np.random.default_rng(draws.seed)
    floor = [_expected_of(confidence, rng.random(len(y)) < confidence, bins) for _ in range(SIMULATED)]
    found = ratio(expected_sums(P, y, draws, rows), draws.total(np.ones(len(y)), rows))
    return _error(found, np.array(floor), "equal-width")


def expected_sums(P: Matrix, y: Labels, draws: Draws, rows: Flags) -> Vector:
    """The ECE times the number of cases, of the sample and of every draw, shape ``(1 + draws,)``."""
    confidence = confidences(P)
    gaps = draws.sums(_signed(confidence, correctness(P, y), bin_index(confidence, BINS)), rows)
    return np.asarray(np.abs(gaps).sum(axis=1))


def equal_mass_bins(confidence: Vector, bins: int) -> Numbers:
    """Number of the bin of each confidence, shape ``(n,)``, when each bin holds as many cases as ties allow.

    Equal confidences are in one bin, so that the order of the cases does not matter; bins may be empty.
    """
    ranks = np.searchsorted(np.sort(confidence), confidence, side="right")
    return np.ceil(ranks * bins / max(len(confidence), 1) - 1e-9).astype(np.int64) - 1


def _classwise(P: Matrix, y: Labels, draws: Draws, rows: Flags, simulated: list[Labels]) -> CalibrationError:
    """Label by label: all columns of many labels at once would be many times the run."""
    n = draws.total(np.ones(len(y)), rows)
    cells = bin_index(P, BINS)
    found = np.zeros(len(n))
    expected = np.zeros(P.shape[1] * BINS)
    for label in range(P.shape[1]):
        found += _expected(draws.sums(_signed(P[:, label], y == label, cells[:, label]), rows), n)
        expected[label * BINS :][:BINS] = np.bincount(cells[:, label], P[:, label], BINS)
    each = np.arange(len(y))
    present = (np.bincount(one * BINS + cells[each, one], minlength=len(expected)) for one in simulated)
    floor = [np.abs(counts - expected).sum() / (len(y) * P.shape[1]) for counts in present]
    return _error(found / P.shape[1], np.array(floor), "equal-width")


def _calibrated(P: Matrix, rng: np.random.Generator) -> Iterator[Labels]:
    """Labels drawn from the distributions themselves."""
    steps = np.cumsum(P, axis=1)[:, :-1]
    for _ in range(SIMULATED):
        yield (rng.random((len(P), 1)) > steps).sum(axis=1)


def _signed(confidence: Vector, correct: Flags, bins: Numbers) -> Matrix:
    return _spread(correct - confidence, bins)


def _spread(values: Vector, bins: Numbers) -> Matrix:
    """One column a bin, shape ``(n, BINS)``."""
    columns = np.zeros((len(values), BINS))
    columns[np.arange(len(values)), bins] = values
    return columns


def _expected(gaps: Matrix, n: Vector) -> Vector:
    return ratio(np.abs(gaps).sum(axis=1), n)


def _worst(gaps: Matrix, sizes: Matrix) -> Vector:
    filled = ratio(np.abs(gaps), sizes)
    worst = np.where(np.isnan(filled), -1, filled).max(axis=1)
    return np.asarray(np.where(worst < 0, np.nan, worst))


def _expected_of(confidence: Vector, correct: Flags, bins: Numbers) -> float:
    return float(np.abs(np.bincount(bins, correct - confidence, BINS)).sum() / len(confidence))


def _worst_of(confidence: Vector, correct: Flags, bins: Numbers) -> float:
    sizes = np.bincount(bins, minlength=BINS)
    return float((np.abs(np.bincount(bins, correct - confidence, BINS))[sizes > 0] / sizes[sizes > 0]).max())


def _error(values: Vector, floor: Vector, binning: str) -> CalibrationError:
    found = certain(estimate(values))
    return CalibrationError(
        value=found.value,
        low=found.low,
        high=found.high,
        bins=BINS,
        binning=binning,
        floor=float(floor.mean()),
        floor_high=float(np.quantile(floor, 0.95)),
    )
