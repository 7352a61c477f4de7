"""Base of the calibrators: selects the rows to fit on and passes rows of NaN through."""

from abc import abstractmethod
from typing import Generic, Self, TypeVar

import numpy as np
from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.types import Labels, Matrix
from doubleread.orchestrator.learning.parametric import Parametric
from doubleread.orchestrator.simplex import normalised, spoken


class CalibratorRecord(Record):
    """Fitted parameters and the size of their sample."""

    labels: int = Field(ge=2)
    n: int = Field(ge=0)
    scarcest: int = Field(ge=0)
    """Cases of the rarest label."""
    case_weight: float = Field(default=1.0, gt=0, le=1)
    """Weight of one case relative to the prior; below 1 if cases of a group are alike."""


R = TypeVar("R", bound=CalibratorRecord)


class RowCalibrator(Parametric[R], Generic[R]):
    """Fits on the rows that hold an opinion and leaves rows of NaN unchanged."""

    def fit(self, probabilities: Matrix, labels: Labels, case_weight: float = 1.0) -> Self:
        """Fits on raw distributions ``(n, k)`` and true labels; raises ``DataError`` without any opinion."""
        kept = spoken(probabilities)
        if not kept.any():
            raise DataError(f"there is no opinion to fit a {self.kind!r} calibrator on")
        k = probabilities.shape[1]
        counts = np.bincount(labels[kept], minlength=k)
        sample = CalibratorRecord(labels=k, n=int(kept.sum()), scarcest=int(counts.min()), case_weight=case_weight)
        self._fitted = self._learn(normalised(probabilities[kept]), labels[kept], sample)
        return self

    def apply(self, probabilities: Matrix) -> Matrix:
        """Calibrated distributions, same shape; never exactly 0 or 1."""
        if probabilities.shape[1] != self.fitted.labels:
            raise DataError(f"{probabilities.shape[1]} labels given, fitted on {self.fitted.labels}")
        return normalised(self._map(normalised(probabilities)))

    @property
    def note(self) -> str:
        """Warning about the sample it was fitted on; empty if there is none."""
        return ""

    @abstractmethod
    def _learn(self, P: Matrix, y: Labels, sample: CalibratorRecord) -> R: ...

    @abstractmethod
    def _map(self, P: Matrix) -> Matrix: ...
