"""No calibration: distributions are only clipped and normalised."""

from doubleread.core.types import Labels, Matrix
from doubleread.orchestrator.calibration.calibrator import CalibratorRecord, RowCalibrator


class Identity(RowCalibrator[CalibratorRecord]):
    """Leaves distributions unchanged."""

    kind = "none"
    record_type = CalibratorRecord

    def _learn(self, P: Matrix, y: Labels, sample: CalibratorRecord) -> CalibratorRecord:  # noqa: ARG002
        return sample

    def _map(self, P: Matrix) -> Matrix:
        return P
