"""Beta, histogram and isotonic calibration: one-vs-rest, then renormalised."""

from typing import Literal

import numpy as np

from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.calibration._calibration_maps import ConstantMap, ScoreMap
from doubleread.orchestrator.calibration.calibrator import CalibratorRecord, RowCalibrator
from doubleread.orchestrator.simplex import normalised

ENOUGH = 100
"""Cases per label below which binned and isotonic maps are worse than a temperature (measured)."""
INSIDE = 1e-6


class OneVsRestRecord(CalibratorRecord):
    """One fitted map per label."""

    maps: tuple[ScoreMap, ...]


class OneVsRest(RowCalibrator[OneVsRestRecord]):
    """Maps each label's probability separately; results stay ``1 / (2n + 2)`` away from 0 and 1.

    Otherwise a fold without errors would give a probability of exactly 1, a veto in a product of opinions. A label with
    one outcome only gets a constant, its smoothed share.
    """

    record_type = OneVsRestRecord
    method: Literal["beta", "histogram", "isotonic"]

    def _learn(self, P: Matrix, y: Labels, sample: CalibratorRecord) -> OneVsRestRecord:
        maps = tuple(self._learn_label(P[:, label], (y == label).astype(np.int64)) for label in range(sample.labels))
        return OneVsRestRecord(maps=maps, **sample.model_dump())

    def _learn_label(self, scores: Vector, outcomes: Labels) -> ScoreMap:
        n, hits = len(outcomes), int(outcomes.sum())
        if hits in {0, n}:
            return ConstantMap(value=(hits + 0.5) / (n + 1))
        from doubleread.orchestrator.calibration import _netcal_fits  # noqa: PLC0415 - netcal takes seconds to load, and only fitting needs it

        if self.method == "beta":
            return _netcal_fits.fit_beta(_inside(scores), outcomes)
        if self.method == "histogram":
            return _netcal_fits.fit_histogram(_inside(scores), outcomes)
        return _netcal_fits.fit_isotonic(_inside(scores), outcomes)

    def _map(self, P: Matrix) -> Matrix:
        bound = 0.5 / (self.fitted.n + 1)
        columns = [fitted(_inside(P[:, label])) for label, fitted in enumerate(self.fitted.maps)]
        mapped = normalised(np.clip(np.stack(columns, axis=1), bound, 1 - bound))
        return np.where(np.isnan(P), np.nan, mapped)


class Beta(OneVsRest):
    """Beta calibration of each label (netcal ``BetaCalibration``)."""

    kind = "beta"
    method = "beta"


class _Frequencies(OneVsRest):
    """Maps from observed frequencies; they need many cases."""

    @property
    def note(self) -> str:
        """Warns where a label has fewer than ``ENOUGH`` cases."""
        if self.fitted.scarcest >= ENOUGH:
            return ""
        return (
            f"{self.kind} calibration saw {self.fitted.scarcest} cases of the rarest label; "
            f"below {ENOUGH} it is worse than a temperature: use 'temperature', or add cases"
        )


class Histogram(_Frequencies):
    """Histogram binning of each label (netcal ``HistogramBinning``, 10 equal bins)."""

    kind = "histogram"
    method = "histogram"


class Isotonic(_Frequencies):
    """Isotonic regression of each label (netcal ``IsotonicRegression``)."""

    kind = "isotonic"
    method = "isotonic"


def _inside(p: Vector) -> Vector:
    return np.clip(p, INSIDE, 1 - INSIDE)
