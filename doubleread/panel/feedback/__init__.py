"""Living trust: outcomes are confirmed, watched for drift, and learned from.

Nothing is graded by itself: a case of the panel's own cannot be confirmed, outcomes are watched only by trust that was
not learned from them, and trust that is learned from them is cross-fitted as before. Selected outcomes (the referred
ones, say) are no sample of what comes: accuracy, label shares and prediction sets must not rest on them, so learning
leaves them out unless it is told otherwise, and then the profiles warn of it.
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
