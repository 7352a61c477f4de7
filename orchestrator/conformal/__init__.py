"""Prediction sets that hold the true label with a guaranteed frequency (split conformal)."""

from doubleread.orchestrator.conformal.scores import SCORES
from doubleread.orchestrator.conformal.sets import ConformalSets, chances

__all__ = ["SCORES", "ConformalSets", "chances"]
