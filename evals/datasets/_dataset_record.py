"""What reading a data set gives: the cases, and everything that was wrong with the rest."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Self

from doubleread.core.base import Record
from doubleread.core.case import Case, RowProblem
from doubleread.core.task import Task
from doubleread.evals.datasets.label_names import TEST_SHARE
from doubleread.render.overview import HasOverview, Overview, Tile
from doubleread.render.thumbnail import case_thumbnail

TILES, MOST_TILES = 3, 24
"""Pictures of each label in a notebook, and of all."""
COPIES = "identical copies"
"""The reason why further copies of an image are left out."""
RowProgress = Callable[[int, int], None]
"""Called with the number of rows read so far and of all rows."""


class LabelledCases(HasOverview, Record):
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
    warnings: tuple[str, ...] = ()
    """What makes figures worse or less certain: skipped rows, missing groups. Reading warns of each."""
    ignored: tuple[RowProblem, ...] = ()
    """Files that are not meant as images, and identical copies of an image that is used. Every such file is listed."""
    repeated: tuple[Case, ...] = ()
    """The identical copies."""
    contradicting: tuple[Case, ...] = ()
    """Rows that were left out because the same picture has several labels; ``problems`` lists them too."""

    @property
    def copies(self) -> int:
        """Number of rows that were left out because an earlier row has the same picture."""
        return sum(one.reason == COPIES for one in self.ignored)

    @property
    def left_out(self) -> dict[str, int]:
        """Number of files or rows that are not used, by reason; with the cases they are all that was found."""
        every = (*self.problems, *self.ignored)
        return dict(Counter(one.reason or "rows with problems" for one in every if one.path or not one.reason))

    @property
    def accounting(self) -> str:
        """What became of all files or rows that were found, in one line; empty if all are used."""
        found = len(self.cases) + sum(self.left_out.values())
        reasons = "".join(f" + {n:,} {reason}" for reason, n in self.left_out.items())
        return f"{found:,} found = {len(self.cases):,} used{reasons}" if reasons else ""

    def _overview(self, *, pictures: bool) -> Overview:
        by_label: dict[str, list[Case]] = {}
        for case in self.cases:
            by_label.setdefault(case.label or "", []).append(case)
        splits = Counter(case.split for case in self.cases if case.split)
        groups = len({case.group for case in self.cases if case.group is not None})
        shown = [case for some in by_label.values() for case in some[:TILES]][:MOST_TILES] if pictures else []
        return Overview(
            kind="Data set",
            title=f"{self.name}: {len(self.cases):,} images",
            facts=(
                ("labels", ", ".join(f"{label} {len(some):,}" for label, some in sorted(by_label.items()))),
                ("splits", ", ".join(f"{name} {n:,}" for name, n in splits.items()) or "none"),
                ("groups", f"{groups:,}" if groups else "none given"),
                *((("files", self.accounting),) if self.accounting else ()),
            ),
            tiles=tuple(Tile(case_thumbnail(case.path, case.id, side=192), case.label or "") for case in shown),
            warnings=self.warnings,
            notes=self.notes,
        )


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

    def with_splits(self, test: float = TEST_SHARE, *, seed: int = 0) -> Self:
        """Returns the data set with some cases held out as split ``test``, unless it has such a split already.

        ``Panel.fit`` leaves the test cases alone, and ``evaluate_panel`` judges the panel on them. Groups stay whole,
        every label is in both parts, and the same cases always give the same split.

        Args:
            test: Share of the cases to hold out.
            seed: Orders groups of equal size; ``doubleread fit`` takes ``trust.seed``.

        Raises:
            DataError: A label has fewer than 10 images, or fewer than 5 groups.

        Examples:
            >>> dataset = doubleread.read_dataset("photos").with_splits()
            >>> len(dataset.part("support")), len(dataset.part("test"))
            (27, 6)
        """
        from doubleread.evals.splits import hold_out  # noqa: PLC0415 - which imports this package

        if self.part("test"):
            return self
        return self.with_cases(hold_out(self.cases, share=test, seed=seed))

    def with_cases(self, cases: Iterable[Case], *notes: str) -> Self:
        """Returns the data set with other cases, such as a sample, and with notes that say why."""
        return self.model_copy(update={"cases": tuple(cases), "notes": (*self.notes, *notes)})


__all__ = ["Dataset", "LabelledCases", "RowProgress"]
