"""Prediction sets that hold the true label with a guaranteed frequency (split conformal)."""

from doubleread.orchestrator.conformal._sets import ConformalSets, chances
from doubleread.orchestrator.conformal.scores import SCORES

__all__ = ["SCORES", "ConformalSets", "chances"]
