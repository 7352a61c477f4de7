"""The data set that a command names, and what reading it had to say."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from doubleread.cli.screen import note, progress, warn_some

if TYPE_CHECKING:
    from doubleread.evals.datasets import Dataset, LabelledCases, RowProgress


class DataSource(NamedTuple):
    """Where the data are, and which columns of them count."""

    data: str
    group: str | None = None
    label_column: str = "label"
    path_column: str = "path"

    def dataset(self, task: Path | None = None) -> "Dataset":
        """A data set of one task, of which a file may say more."""
        from doubleread.evals.datasets import read_dataset
        from doubleread.evals.datasets.read import with_task

        found = read_dataset(self.data, label_column=self.label_column, path_column=self.path_column, group=self.group)
        return with_task(found, task)

    def labelled(self, progress: "RowProgress | None" = None) -> "LabelledCases":
        """Labelled cases, whatever their labels are."""
        from doubleread.evals.datasets import read_labelled

        return read_labelled(
            self.data,
            label_column=self.label_column,
            path_column=self.path_column,
            group=self.group,
            progress=progress,
        )

    def labelled_with_bar(self) -> "LabelledCases":
        """The same, with a progress bar while the files are hashed."""
        with progress() as report:
            return self.labelled(partial(report, "reading files"))


def announce_reading(dataset: "LabelledCases") -> None:
    """What was read, and what was wrong with it."""
    labels = sorted({case.label for case in dataset.cases if case.label is not None})
    note(f"{dataset.name}: {len(dataset.cases)} images, labels {', '.join(labels)}")
    for line in dataset.notes:
        note(line)
    problems = []
    for problem in dataset.problems:
        path = f" ({problem.path})" if problem.path and problem.path not in problem.where else ""
        problems.append(f"skipped {problem.where}{path}: {problem.problem}")
    warn_some(problems, "{n} more rows skipped")
