"""Learning from outcomes: confirmation, drift monitoring, and relearning of trust.

Nothing is evaluated on its own training data: the panel's own cases cannot be confirmed, drift is tested only on
outcomes that trust was not learned from, and relearned trust is cross-fitted. Selected outcomes (such as referred
cases) are a biased sample for accuracy, label shares and prediction sets, so learning excludes them by default; if
they are included, the profiles warn of it.
"""

from doubleread.panel.feedback._confirmation import (
    check_confirmed,
    fitted_on,
    forget,
    keep,
    known_as,
    outcome_of,
    remember,
    remembered,
    retract,
)
from doubleread.panel.feedback._graded_cases import (
    calibration_cases,
    calibration_rows,
    drifts,
    graded,
    keeps_readings,
    learned_rows,
    unseen_outcomes,
)
from doubleread.panel.feedback._relearning import Relearned, adopt, relearn

__all__ = [
    "Relearned",
    "adopt",
    "calibration_cases",
    "calibration_rows",
    "check_confirmed",
    "drifts",
    "fitted_on",
    "forget",
    "graded",
    "keep",
    "keeps_readings",
    "known_as",
    "learned_rows",
    "outcome_of",
    "relearn",
    "remember",
    "remembered",
    "retract",
    "unseen_outcomes",
]
