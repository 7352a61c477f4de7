"""Calibrated results of agents and panel with true labels, on cases that their fits did not use."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from doubleread.core.reading import Outcome, Reading
from doubleread.core.trust import trust_version
from doubleread.core.types import Labels, Matrix
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.kept import first_look
from doubleread.orchestrator.learning.arbitration import PANEL, tensor


@dataclass(frozen=True)
class Graded:
    """Labelled cases and each reader's distributions on them, ``(n, labels)``; NaN rows if missing.

    Readers are the agents in their first look, and ``panel``.
    """

    cases: tuple[str, ...]
    groups: tuple[str, ...]
    labels: Labels
    readers: Mapping[str, Matrix]

    def __add__(self, other: "Graded") -> "Graded":
        """Concatenates the cases of two results with the same readers."""
        return Graded(
            (*self.cases, *other.cases),
            (*self.groups, *other.groups),
            np.concatenate([self.labels, other.labels]),
            {name: np.concatenate([self.readers[name], other.readers[name]]) for name in self.readers},
        )

    def rows(self, picked: Sequence[int]) -> "Graded":
        """The cases at these positions, in this order."""
        return Graded(
            tuple(self.cases[i] for i in picked),
            tuple(self.groups[i] for i in picked),
            self.labels[list(picked)],
            {name: p[list(picked)] for name, p in self.readers.items()},
        )


def graded_learned(arbiter: Arbiter, rows: Sequence[Reading]) -> Graded:
    """Results on the arbiter's calibration cases, in order, by cross-fitting."""
    return _graded(arbiter, rows, arbiter.held_out.posterior, arbiter.first.held_out_calibrated)


def graded_unseen(arbiter: Arbiter, rows: Sequence[Reading]) -> Graded:
    """Results on cases that the arbiter was not fitted on."""
    k = len(arbiter.task.names)
    if not rows:
        return _graded(arbiter, rows, np.empty((0, k)), np.empty((0, len(arbiter.agents), k)))
    raw = tensor(arbiter.task, [first_look(row, arbiter.agents) for row in rows])
    posterior = np.array([_posterior(arbiter, row) for row in rows])
    return _graded(arbiter, rows, posterior, arbiter.first.calibrate(raw))


def _graded(arbiter: Arbiter, rows: Sequence[Reading], posterior: Matrix, calibrated: Matrix) -> Graded:
    heard = [i for i, p in enumerate(arbiter.first.calibrators) if p is not None]
    return Graded(
        cases=tuple(row.case for row in rows),
        groups=tuple(row.group or row.case for row in rows),
        labels=np.array([arbiter.task.index(row.label) for row in rows], dtype=np.int64),
        readers={**{arbiter.agents[i]: calibrated[:, i] for i in heard}, PANEL: posterior},
    )


def _posterior(arbiter: Arbiter, row: Reading) -> list[float]:
    """The panel's recorded posterior, or that of its present trust profiles; NaN without opinions."""
    if isinstance(row, Outcome) and row.posterior and row.trust_version == trust_version(arbiter.profiles):
        return [row.posterior[name] for name in arbiter.task.names]
    first = {answer.agent: answer for answer in row.first}
    last = {**first, **{answer.agent: answer for answer in row.second}}
    found = arbiter.assess(first, last, row.evidence, round_=2 if row.second else 1)
    return [found.scores.get(name, np.nan) for name in arbiter.task.names]
