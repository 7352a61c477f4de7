"""The cases that a panel may be evaluated on: cross-fitted calibration cases and outcomes it has not learned from.

Every reader is monitored for drift on the latter.
"""

from collections.abc import Sequence

import numpy as np

from doubleread.core.errors import PanelError
from doubleread.core.reading import Outcome, Reading
from doubleread.orchestrator.metrics import confidences, correctness
from doubleread.orchestrator.simplex import spoken
from doubleread.orchestrator.trust.drift import ALPHA, Baseline, Drift, Stream, watch
from doubleread.orchestrator.trust.grading import Graded, graded_learned, graded_unseen
from doubleread.panel.outcomes import read_outcomes, sensible
from doubleread.panel.panel_folder import PanelFolder
from doubleread.panel.trust_folder import READINGS, records

KINDS = 2
"""Number of drift tests for each reader: calibration and accuracy."""


def calibration_rows(saved: PanelFolder) -> tuple[Reading, ...]:
    """Returns the answers that the panel's first trust was learned from.

    Raises ``PanelError`` for a panel that was fitted before these were kept.
    """
    if not keeps_readings(saved):
        raise PanelError(
            f"{saved.folder} keeps no readings ({READINGS}), so its trust can be neither updated nor watched: "
            "it was fitted by an older doubleread; fit again to keep them"
        )
    return records(saved.sealed.read(READINGS), Reading, saved.folder / READINGS)


def keeps_readings(saved: PanelFolder) -> bool:
    """Whether the panel can learn from outcomes."""
    return READINGS in saved.sealed.files


def calibration_cases(saved: PanelFolder) -> frozenset[str]:
    """Ids of the calibration cases that were kept."""
    return frozenset(row.case for row in calibration_rows(saved)) if keeps_readings(saved) else frozenset()


def learned_rows(saved: PanelFolder) -> tuple[Reading, ...]:
    """Returns all readings that this version of the trust was learned from."""
    return (*calibration_rows(saved), *saved.trust.outcomes)


def graded(saved: PanelFolder, others: Sequence[Reading] = ()) -> Graded:
    """Evaluates every reader on the panel's own readings, cross-fitted, and on ``others`` that it has not seen."""
    rows = learned_rows(saved)
    seen = {row.case for row in rows}
    found = graded_learned(saved.arbiter, rows)
    return found + graded_unseen(saved.arbiter, [row for row in others if row.case not in seen])


def unseen_outcomes(saved: PanelFolder) -> tuple[Outcome, ...]:
    """Returns standing outcomes whose cases and groups this version was not learned from.

    Only the first of each group is used, since cases of a group are not independent.
    """
    rows = learned_rows(saved)
    cases, groups = {row.case for row in rows}, {row.group for row in rows if row.group is not None}
    found: dict[str, Outcome] = {}
    for outcome in read_outcomes(saved.folder).standing:
        if outcome.case not in cases and outcome.group not in groups:
            found.setdefault(outcome.group or outcome.case, outcome)
    return tuple(found.values())


def drifts(saved: PanelFolder) -> tuple[Drift, ...]:
    """Tests every reader for drift on unseen outcomes; empty without such outcomes.

    The probability of any false alarm, ever, is ``ALPHA``, divided among the readers and their tests. Raises
    ``PanelError`` if the file of outcomes is damaged.
    """
    if not keeps_readings(saved) or not read_outcomes(saved.folder).standing:
        return ()
    before = graded(saved)
    threshold = KINDS * len(before.readers) / ALPHA
    with sensible(saved.folder):
        outcomes = unseen_outcomes(saved)
        after = graded_unseen(saved.arbiter, outcomes)
        return tuple(
            drift
            for name in before.readers
            for drift in watch(name, _baseline(before, name), _stream(after, name, outcomes), threshold)
        )


def _baseline(graded: Graded, reader: str) -> Baseline:
    p = graded.readers[reader]
    spoke = spoken(p)
    groups = {group for group, there in zip(graded.groups, spoke, strict=True) if there}
    return Baseline.of(confidences(p[spoke]), correctness(p[spoke], graded.labels[spoke]), len(groups))


def _stream(graded: Graded, reader: str, outcomes: Sequence[Outcome]) -> Stream:
    p = graded.readers[reader]
    spoke = spoken(p)
    heard = [outcome for outcome, there in zip(outcomes, spoke, strict=True) if there]
    return Stream(
        confidence=confidences(p[spoke]),
        correct=correctness(p[spoke], graded.labels[spoke]),
        times=[outcome.time for outcome in heard],
        fair=np.array([outcome.sampling == "all" for outcome in heard], dtype=bool),
    )
