"""Stress: how a panel does on corrupted pictures, and whether it notices."""

from doubleread.evals.stress.corruptions import CORRUPTIONS, Corruption
from doubleread.evals.stress.stress_record import Condition, Measured, Promise, Stress
from doubleread.evals.stress.stressing import USUAL_LIMIT, USUAL_SEVERITIES, stress_panel

__all__ = [
    "CORRUPTIONS",
    "USUAL_LIMIT",
    "USUAL_SEVERITIES",
    "Condition",
    "Corruption",
    "Measured",
    "Promise",
    "Stress",
    "stress_panel",
]
