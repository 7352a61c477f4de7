"""Temperature scaling with a prior, usable with five cases per label."""

import numpy as np
from scipy.optimize import minimize_scalar

from doubleread.core.types import Labels, Matrix
from doubleread.orchestrator.calibration.calibrator import CalibratorRecord, RowCalibrator
from doubleread.orchestrator.simplex import log_loss, softmax

SIGMA = 0.5
"""Prior standard deviation of log T: T is within a factor 2.7 of 1 (95 %)."""


class TemperatureRecord(CalibratorRecord):
    """The fitted temperature; above 1 it lowers confidence."""

    temperature: float


class Temperature(RowCalibrator[TemperatureRecord]):
    """``p' ∝ p^(1/T)``, with the maximum a posteriori T for ``log T ~ N(0, 0.5²)``.

    Source: Guo et al. 2017, *On Calibration of Modern Neural Networks*; the prior is our addition.
    """

    kind = "temperature"
    record_type = TemperatureRecord

    def _learn(self, P: Matrix, y: Labels, sample: CalibratorRecord) -> TemperatureRecord:
        logs = np.log(P)

        def objective(log_t: float) -> float:
            return sample.case_weight * log_loss(logs * np.exp(-log_t), y) + 0.5 * (log_t / SIGMA) ** 2

        best = minimize_scalar(objective, bounds=(-3, 3), method="bounded")
        return TemperatureRecord(temperature=float(np.exp(best.x)), **sample.model_dump())

    def _map(self, P: Matrix) -> Matrix:
        return softmax(np.log(P) / self.fitted.temperature)

    @property
    def note(self) -> str:
        """Warns that few cases cannot distinguish over- from under-confidence."""
        n = self.fitted.n
        return (
            f"temperature fitted on {n} cases: the prior (T near 1) has more influence than these cases"
            if n < 20
            else ""
        )
