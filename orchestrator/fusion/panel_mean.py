"""The default: the mean of three rules that err differently."""

from typing import Self

import numpy as np

from doubleread.core.base import Record
from doubleread.core.types import Labels, Tensor3, Vector
from doubleread.orchestrator.fusion.base import FusedOpinions
from doubleread.orchestrator.fusion.confusion_bayes import ConfusionBayes, ConfusionRecord
from doubleread.orchestrator.fusion.log_pool import LogPool, LogPoolRecord
from doubleread.orchestrator.fusion.stacking import Stacking, StackingRecord
from doubleread.orchestrator.parametric import Parametric


class PanelMeanRecord(Record):
    """The fitted members."""

    log_pool: LogPoolRecord
    confusion_bayes: ConfusionRecord
    stacking: StackingRecord


class PanelMean(Parametric[PanelMeanRecord]):
    """The average posterior (and agents' shares) of the log-pool, confusion-matrix Bayes and stacking."""

    kind = "panel-mean"
    record_type = PanelMeanRecord

    def fit(self, opinions: Tensor3, labels: Labels, prior: Vector) -> Self:
        """Fits each member; arguments and errors as ``PanelRule.fit``."""
        self._fitted = PanelMeanRecord(
            log_pool=LogPool().fit(opinions, labels, prior).fitted,
            confusion_bayes=ConfusionBayes().fit(opinions, labels, prior).fitted,
            stacking=Stacking().fit(opinions, labels, prior).fitted,
        )
        return self

    def fuse(self, opinions: Tensor3) -> FusedOpinions:
        """Means over the members; errors as ``PanelRule.fuse``."""
        f = self.fitted
        rules = (LogPool(f.log_pool), ConfusionBayes(f.confusion_bayes), Stacking(f.stacking))
        results = [rule.fuse(opinions) for rule in rules]
        return FusedOpinions(
            np.mean([result.posterior for result in results], axis=0),
            np.mean([result.weights for result in results], axis=0),
        )
