"""Stress: how a panel does on corrupted pictures, and whether it notices."""

from doubleread.evals.stress._panel_stress import USUAL_LIMIT, USUAL_SEVERITIES, stress_panel
from doubleread.evals.stress._stress_record import Condition, MeasuredFigure, Promise, StressTest
from doubleread.evals.stress.corruptions import CORRUPTIONS, Corruption

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
