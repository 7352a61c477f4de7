"""Stress: how a panel does on corrupted pictures, and whether it notices."""

from doubleread.evals.stress.record import Condition, Measured, Promise, Stress
from doubleread.evals.stress.stressing import USUAL_LIMIT, USUAL_SEVERITIES, stress_panel
from doubleread.evals.stress.table import CORRUPTIONS, Corruption

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
