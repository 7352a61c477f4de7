"""What reading a data set gives: the cases, and everything that was wrong with the rest."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Self

from doubleread.core.base import Record
from doubleread.core.case import Case, RowProblem
from doubleread.core.task import Task

RowProgress = Callable[[int, int], None]
"""Called with the rows read so far and the rows there are."""


class LabelledCases(Record):
    """Labelled cases, in the order of their source, whatever their labels are."""

    name: str
    cases: tuple[Case, ...]
    problems: tuple[RowProblem, ...] = ()
    """Rows that were left out. None is dropped without a word."""
    notes: tuple[str, ...] = ()
    """What a reader of the figures must know: mapping of labels, licence, grouping."""
    copies: int = 0
    """Rows whose picture is there already, left out."""
    contradicting: tuple[Case, ...] = ()
    """Rows whose picture carries several labels, left out; they are in ``problems`` too."""


class Dataset(LabelledCases):
    """Labelled cases of one task."""

    task: Task

    def part(self, split: str) -> tuple[Case, ...]:
        """The cases of one split, in order."""
        return tuple(case for case in self.cases if case.split == split)

    def sizes(self) -> dict[str, int]:
        """Cases of each label, in the task's order."""
        counts = Counter(case.label for case in self.cases)
        return {name: counts[name] for name in self.task.names}

    def with_cases(self, cases: Iterable[Case], *notes: str) -> Self:
        """The same data set with other cases (split, sampled), and why."""
        return self.model_copy(update={"cases": tuple(cases), "notes": (*self.notes, *notes)})
