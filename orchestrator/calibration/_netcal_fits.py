"""Fits by netcal, returned as plain numbers: the only module that imports netcal, which takes seconds.

Functions take raw scores strictly inside (0, 1) and outcomes of both kinds, each of shape ``(n,)``.
"""

import warnings

import numpy as np
from netcal.binning import HistogramBinning, IsotonicRegression
from netcal.scaling import BetaCalibration
from numpy.typing import NDArray

from doubleread.core.types import Labels, Vector
from doubleread.orchestrator.calibration._calibration_maps import BetaMap, LinesMap, StepMap

BINS = 10


def fit_beta(scores: Vector, outcomes: Labels) -> BetaMap:
    """Beta calibration by maximum likelihood."""
    model = BetaCalibration()
    with warnings.catch_warnings():
        # pyro, used by netcal, calls a method that it has itself deprecated
        warnings.filterwarnings("ignore", category=DeprecationWarning, module="pyro")
        model.fit(scores, outcomes)
    # netcal's own `weights` property looks up a missing key
    a, b = _floats(model._sites["weights"]["values"])  # noqa: SLF001
    (c,) = _floats(model.intercept)
    return BetaMap(a=a, b=b, c=c)


def fit_histogram(scores: Vector, outcomes: Labels) -> StepMap:
    """Histogram binning in ten equal bins; an empty bin keeps its midpoint."""
    model = HistogramBinning(bins=BINS)
    model.fit(scores, outcomes)
    return StepMap(edges=_floats(model._bin_bounds[0]), values=_floats(model._bin_map))  # noqa: SLF001


def fit_isotonic(scores: Vector, outcomes: Labels) -> LinesMap:
    """Isotonic regression."""
    model = IsotonicRegression()
    model.fit(scores, outcomes)
    steps = model._iso  # noqa: SLF001
    return LinesMap(points=_floats(steps.X_thresholds_), values=_floats(steps.y_thresholds_))


def _floats(values: NDArray[np.generic]) -> tuple[float, ...]:
    return tuple(float(x) for x in np.ravel(values))
