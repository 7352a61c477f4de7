"""Every reader is watched on the outcomes that its trust was not learned from."""

from collections.abc import Sequence

import numpy as np

from doubleread.core.reading import Outcome
from doubleread.orchestrator.metrics import confidences, correctness
from doubleread.orchestrator.simplex import spoken
from doubleread.orchestrator.trust.drift import ALPHA, Baseline, Drift, Stream, watch
from doubleread.orchestrator.trust.grading import Graded, graded_unseen
from doubleread.panel.feedback.graded_cases import graded, keeps_readings, unseen_outcomes
from doubleread.panel.outcomes import read_outcomes, sensible
from doubleread.panel.panel_folder import PanelFolder

KINDS = 2
"""Tests of each reader: calibration and accuracy."""


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
