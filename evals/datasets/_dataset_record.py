"""What reading a data set gives: the cases, and everything that was wrong with the rest."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Self

from doubleread.core.base import Record
from doubleread.core.case import Case, RowProblem
from doubleread.core.task import Task

RowProgress = Callable[[int, int], None]
"""Called with the number of rows read so far and of all rows."""


class LabelledCases(Record):
    """Labelled cases, with any labels.

    Examples:
        >>> from doubleread.evals.datasets import read_labelled
        >>> len(read_labelled("photos").cases)
        33
    """

    name: str
    cases: tuple[Case, ...]
    """In the order of the source."""
    problems: tuple[RowProblem, ...] = ()
    """Rows that could not be used and were left out. Every such row is listed."""
    notes: tuple[str, ...] = ()
    """What readers of the figures must know: how labels were mapped, licence, groups."""
    copies: int = 0
    """Number of rows that were left out because an earlier row has the same picture."""
    contradicting: tuple[Case, ...] = ()
    """Rows that were left out because the same picture has several labels; ``problems`` lists them too."""


class Dataset(LabelledCases):
    """Labelled cases of one task.

    Examples:
        >>> dataset = doubleread.read_dataset("photos")
        >>> dataset.sizes()
        {'blue': 11, 'green': 11, 'red': 11}
    """

    task: Task
    """Made from the labels, or given by the data set."""

    def part(self, split: str) -> tuple[Case, ...]:
        """Returns the cases of one split, in order."""
        return tuple(case for case in self.cases if case.split == split)

    def sizes(self) -> dict[str, int]:
        """Returns the number of cases of each label, in the task's order."""
        counts = Counter(case.label for case in self.cases)
        return {name: counts[name] for name in self.task.names}

    def with_cases(self, cases: Iterable[Case], *notes: str) -> Self:
        """Returns the data set with other cases, such as a sample, and with notes that say why."""
        return self.model_copy(update={"cases": tuple(cases), "notes": (*self.notes, *notes)})


__all__ = ["Dataset", "LabelledCases", "RowProgress"]
