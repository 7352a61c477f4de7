"""The cases that a panel may be judged on: those it was learned from, cross-fitted, and outcomes it has not seen.

Every reader is watched for drift on the latter.
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
"""Tests of each reader for drift: calibration and accuracy."""


def calibration_rows(saved: PanelFolder) -> tuple[Reading, ...]:
    """The answers that the panel's first trust was learned from.

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
    """Ids of the calibration cases, as far as they were kept."""
    return frozenset(row.case for row in calibration_rows(saved)) if keeps_readings(saved) else frozenset()


def learned_rows(saved: PanelFolder) -> tuple[Reading, ...]:
    """All that the panel's trust, in this version, was learned from."""
    return (*calibration_rows(saved), *saved.trust.outcomes)


def graded(saved: PanelFolder, others: Sequence[Reading] = ()) -> Graded:
    """Every reader on what the panel was learned from, cross-fitted, and on ``others`` that it was not."""
    rows = learned_rows(saved)
    seen = {row.case for row in rows}
    found = graded_learned(saved.arbiter, rows)
    return found + graded_unseen(saved.arbiter, [row for row in others if row.case not in seen])


def unseen_outcomes(saved: PanelFolder) -> tuple[Outcome, ...]:
    """Standing outcomes that this version was not learned from, neither their cases nor their groups.

    Of a group only the first: its others are no witnesses of their own.
    """
    rows = learned_rows(saved)
    cases, groups = {row.case for row in rows}, {row.group for row in rows if row.group is not None}
    found: dict[str, Outcome] = {}
    for outcome in read_outcomes(saved.folder).standing:
        if outcome.case not in cases and outcome.group not in groups:
            found.setdefault(outcome.group or outcome.case, outcome)
    return tuple(found.values())


def drifts(saved: PanelFolder) -> tuple[Drift, ...]:
    """What the outcomes that were not learned from say of every reader; nothing where there are none.

    The chance that any of them ever is a false alarm is ``ALPHA``, shared among the readers and their tests.
    Raises ``PanelError`` where the file of outcomes is damaged.
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
