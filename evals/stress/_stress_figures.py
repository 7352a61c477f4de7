"""The figures of a stress test. A new one is a function and a row in this table.

Each gives a number for one verdict, and NaN where the verdict does not count; what is reported is the mean of the rest.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doubleread.core.task import Task
from doubleread.core.types import Matrix, Tensor3
from doubleread.core.verdict import Verdict
from doubleread.evals.stress._stress_record import Condition, MeasuredFigure
from doubleread.orchestrator.metrics import CLIP
from doubleread.orchestrator.metrics.draws import Draws, estimate, ratio, with_wilson

NOT_COUNTED = math.nan
_DRAWS = 1000


class StressFigure(NamedTuple):
    """A figure, and how it is told."""

    about: str
    share: bool
    of: Callable[[Verdict, str, Task], float]
    """Of a verdict, the true label and the task."""


def distribution(verdict: Verdict) -> dict[str, float]:
    """What the panel makes of a case, calibrated or not; empty if no agent answered."""
    scores: dict[str, float] = getattr(verdict, "scores", None) or verdict.posterior
    return scores


def _accuracy(verdict: Verdict, label: str, _task: Task) -> float:
    shares = distribution(verdict)
    return float(bool(shares) and max(shares, key=lambda name: shares[name]) == label)


def _nll(verdict: Verdict, label: str, task: Task) -> float:
    share = distribution(verdict).get(label, 0.0) if distribution(verdict) else 1 / len(task.names)
    return -math.log(max(share, CLIP))


def _coverage(verdict: Verdict, label: str, _task: Task) -> float:
    return NOT_COUNTED if verdict.coverage is None else float(label in verdict.prediction_set)


def _risk(verdict: Verdict, label: str, _task: Task) -> float:
    return float(verdict.decision.label != label) if verdict.decision.action == "commit" else NOT_COUNTED


def _referred(verdict: Verdict, _label: str, _task: Task) -> float:
    return float(verdict.decision.action != "commit")


def _alarm(verdict: Verdict, _label: str, _task: Task) -> float:
    seen = verdict.familiarity
    return NOT_COUNTED if seen is None or seen.threshold is None else float(seen.alarm)


FIGURES = MappingProxyType(
    {
        "accuracy": StressFigure("the most probable label is right, whether the panel commits or not", True, _accuracy),
        "nll": StressFigure(
            "log-loss of the probabilities (equal for all labels where no agent answered); lower is better", False, _nll
        ),
        "coverage": StressFigure("the prediction set contains the true label", True, _coverage),
        "risk": StressFigure("wrong answers among the images that the panel commits on", True, _risk),
        "referred": StressFigure("referred to a person", True, _referred),
        "alarm": StressFigure("recognised as unlike the calibration images", True, _alarm),
    }
)


class ReadingState(IntEnum):
    """What came of a picture."""

    WAITING = 0
    READ = 1
    SILENT = 2
    """Read, but no agent answered."""
    FAILED = 3
    IMPOSSIBLE = 4
    """It cannot be corrupted so."""


@dataclass
class StressReadings:
    """What the panel said, as numbers, and what could not be read."""

    figures: Tensor3
    """Shape ``(cases, variants, figures)``; NaN where a reading does not count for a figure."""
    states: NDArray[np.int8]
    """Shape ``(cases, variants)``."""
    unread: dict[int, str] = field(default_factory=dict)
    """Why an image could not be opened, by its place among the cases."""
    known: set[int] = field(default_factory=set)
    """Images of which the archive holds a near copy, by their place."""

    @property
    def read(self) -> int:
        """Readings."""
        return int(np.isin(self.states, (ReadingState.READ, ReadingState.SILENT)).sum())


class ConditionFigures:
    """Makes figures of the images ``kept``, with 95 % intervals over draws of whole ``groups``, one an image."""

    def __init__(self, found: StressReadings, kept: Sequence[int], groups: Sequence[str | None]) -> None:
        self._figures, self._states = found.figures[kept], found.states[kept]
        self._draws = Draws(groups, draws=_DRAWS, seed=0)
        self.groups = self._draws.clusters

    def condition(self, corruption: str, severity: int, variants: Sequence[int]) -> Condition:
        """What came of one variant, or of several together."""
        states = self._states[:, variants]
        return Condition(
            corruption=corruption,
            severity=severity,
            n=int(np.isin(states, (ReadingState.READ, ReadingState.SILENT)).sum()),
            failed=int((states == ReadingState.FAILED).sum()),
            impossible=int((states == ReadingState.IMPOSSIBLE).sum()),
            silent=int((states == ReadingState.SILENT).sum()),
            figures=self._measured(self._figures[:, variants]),
        )

    def _measured(self, values: Tensor3) -> dict[str, MeasuredFigure]:
        """Means of ``(cases, variants, figures)`` over cases and variants; those of a case are drawn together."""
        counts = np.asarray((~np.isnan(values)).sum(axis=1), float)
        sums: Matrix = np.nansum(values, axis=1)
        means = ratio(self._draws.sums(sums), self._draws.sums(counts))
        measured = {}
        for i, (name, figure) in enumerate(FIGURES.items()):
            e = estimate(means[:, i])
            if figure.share:
                e = with_wilson(e, int((counts[:, i] > 0).sum()))
            if e is not None:
                measured[name] = MeasuredFigure(value=e.value, low=e.low, high=e.high, n=int(counts[:, i].sum()))
        return measured
