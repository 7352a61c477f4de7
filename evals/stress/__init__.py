"""Stress: how a panel does on corrupted pictures, and whether it notices."""

from doubleread.evals.stress.corruptions import CORRUPTIONS, Corruption
from doubleread.evals.stress.panel_stress import USUAL_LIMIT, USUAL_SEVERITIES, stress_panel
from doubleread.evals.stress.stress_record import Condition, MeasuredFigure, Promise, StressTest

__all__ = [
    "CORRUPTIONS",
    "USUAL_LIMIT",
    "USUAL_SEVERITIES",
    "Condition",
    "Corruption",
    "MeasuredFigure",
    "Promise",
    "StressTest",
    "stress_panel",
]
