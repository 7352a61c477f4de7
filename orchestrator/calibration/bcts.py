"""Temperature scaling with an intercept a label, for agents whose prior nobody knows."""

import numpy as np
from scipy.optimize import minimize

from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.calibration.base import CalibratorRecord, RowCalibrator
from doubleread.orchestrator.calibration.temperature import SIGMA
from doubleread.orchestrator.simplex import log_softmax_rows, softmax

BIAS_SPREAD = 1.0
"""Standard deviation of each intercept around 0 before any case was seen."""


class BctsRecord(CalibratorRecord):
    """The fitted temperature, and an intercept for each label, in label order."""

    temperature: float
    biases: tuple[float, ...]


class BiasCorrectedTemperature(RowCalibrator[BctsRecord]):
    """``p' ∝ p^(1/T) · exp(b)``, by maximum a posteriori with ``log T ~ N(0, 0.5²)`` and ``b_k ~ N(0, 1)``.

    Source: Alexandari, Kundaje and Shrikumar 2020, *Maximum Likelihood with Bias-Corrected Calibration is
    Hard-To-Beat at Label Shift Adaptation*; the priors are ours.
    """

    kind = "bcts"
    record_type = BctsRecord

    def _learn(self, P: Matrix, y: Labels, sample: CalibratorRecord) -> BctsRecord:
        k, logs, truth = P.shape[1], np.log(P), np.eye(P.shape[1])[y]
        spread = np.append(np.full(k, BIAS_SPREAD), SIGMA)

        def objective(theta: Vector) -> tuple[float, Vector]:
            scaled = logs * np.exp(-theta[-1])
            log_p = log_softmax_rows(scaled + theta[:-1])
            away = sample.case_weight * (np.exp(log_p) - truth)
            gradient = np.append(away.sum(axis=0), -(away * scaled).sum()) + theta / spread**2
            return float(0.5 * ((theta / spread) ** 2).sum() - sample.case_weight * (log_p * truth).sum()), gradient

        best = minimize(objective, np.zeros(k + 1), jac=True, method="L-BFGS-B").x
        return BctsRecord(temperature=float(np.exp(best[-1])), biases=tuple(best[:-1].tolist()), **sample.model_dump())

    def _map(self, P: Matrix) -> Matrix:
        return softmax(np.log(P) / self.fitted.temperature + np.array(self.fitted.biases))

    @property
    def note(self) -> str:
        """Says where a label has too few cases to tell its intercept."""
        few = self.fitted.scarcest
        return f"bcts saw {few} cases of the rarest label: the priors speak louder there" if few < 10 else ""
