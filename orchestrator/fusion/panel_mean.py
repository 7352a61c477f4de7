"""The default rule: the mean of three rules with different errors."""

from typing import Self

import numpy as np

from doubleread.core.base import Record
from doubleread.core.types import Labels, Matrix, Tensor3, Vector
from doubleread.orchestrator.fusion.confusion_bayes import ConfusionBayes, ConfusionRecord
from doubleread.orchestrator.fusion.log_pool import LogPool, LogPoolRecord
from doubleread.orchestrator.fusion.stacking import Stacking, StackingRecord
from doubleread.orchestrator.learning.parametric import Parametric


class PanelMeanRecord(Record):
    """The fitted members."""

    log_pool: LogPoolRecord
    confusion_bayes: ConfusionRecord
    stacking: StackingRecord


class PanelMean(Parametric[PanelMeanRecord]):
    """The mean posterior of the log-pool, confusion-matrix Bayes and stacking."""

    kind = "panel-mean"
    record_type = PanelMeanRecord

    def fit(self, opinions: Tensor3, labels: Labels, prior: Vector, case_weight: float = 1.0) -> Self:
        """Fits each member; arguments and errors as ``PanelRule.fit``."""
        self._fitted = PanelMeanRecord(
            log_pool=LogPool().fit(opinions, labels, prior, case_weight).fitted,
            confusion_bayes=ConfusionBayes().fit(opinions, labels, prior, case_weight).fitted,
            stacking=Stacking().fit(opinions, labels, prior, case_weight).fitted,
        )
        return self

    def fuse(self, opinions: Tensor3) -> Matrix:
        """Averages the members' posteriors; errors as ``PanelRule.fuse``."""
        f = self.fitted
        rules = (LogPool(f.log_pool), ConfusionBayes(f.confusion_bayes), Stacking(f.stacking))
        return np.asarray(np.mean([rule.fuse(opinions) for rule in rules], axis=0))
