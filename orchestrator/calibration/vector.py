"""Vector scaling with priors: one slope and one bias per label, for agents that favour some labels."""

import numpy as np
from scipy.optimize import minimize

from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.calibration.calibrator import CalibratorRecord, RowCalibrator
from doubleread.orchestrator.simplex import log_softmax_rows, softmax

SLOPE_SPREAD = 0.5
"""Prior standard deviation of the common log slope around 0, and of each label's around the common one."""
BIAS_SPREAD = 1.0
SOFTENING = 0.005
"""Added to every probability, so that labels without a stated probability are not ruled out."""


class VectorRecord(CalibratorRecord):
    """The fitted slopes and biases, in label order."""

    slopes: tuple[float, ...]
    biases: tuple[float, ...]


class VectorScaling(RowCalibrator[VectorRecord]):
    """``logit_k = s_k log(p_k + 0.005) + b_k``, by maximum a posteriori.

    The priors shrink it towards temperature scaling, ``s_k = 1/T`` and ``b_k = 0``. It pays for agents that name one
    label far too often, as vision-language models do.
    Source: Guo et al. 2017, *On Calibration of Modern Neural Networks*, section 4.2; the priors are our addition.
    """

    kind = "vector"
    record_type = VectorRecord

    def _learn(self, P: Matrix, y: Labels, sample: CalibratorRecord) -> VectorRecord:
        k, logs, truth = P.shape[1], np.log(P + SOFTENING), np.eye(P.shape[1])[y]
        spread = np.concatenate([np.full(k + 1, SLOPE_SPREAD), np.full(k, BIAS_SPREAD)])

        def objective(theta: Vector) -> tuple[float, Vector]:
            slopes = np.exp(theta[0] + theta[1 : k + 1])
            log_p = log_softmax_rows(logs * slopes + theta[k + 1 :])
            away = sample.case_weight * (np.exp(log_p) - truth)
            by_slope = (away * logs * slopes).sum(axis=0)
            gradient = np.concatenate([[by_slope.sum()], by_slope, away.sum(axis=0)]) + theta / spread**2
            return float(0.5 * ((theta / spread) ** 2).sum() - sample.case_weight * (log_p * truth).sum()), gradient

        best = minimize(objective, np.zeros(2 * k + 1), jac=True, method="L-BFGS-B").x
        slopes, biases = np.exp(best[0] + best[1 : k + 1]), best[k + 1 :]
        return VectorRecord(slopes=tuple(slopes.tolist()), biases=tuple(biases.tolist()), **sample.model_dump())

    def _map(self, P: Matrix) -> Matrix:
        return softmax(np.log(P + SOFTENING) * np.array(self.fitted.slopes) + np.array(self.fitted.biases))

    @property
    def note(self) -> str:
        """Warns if a label has too few cases to estimate its slope and bias."""
        few = self.fitted.scarcest
        return (
            f"vector scaling saw {few} cases of the rarest label: the prior has more influence than these cases"
            if few < 10
            else ""
        )
