"""Groups of options shared by several commands, passed to a command as one object.

@app.command()
@grouped
def fit(data: str, *, options: FitOptions) -> None: ...
"""

import inspect
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from doubleread.cli import options
from doubleread.cli.screen import note, progress

if TYPE_CHECKING:
    from doubleread.core.stored import Wanted
    from doubleread.evals.datasets import Dataset, LabelledCases, RowProgress
    from doubleread.settings import Settings


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Replaces each dataclass parameter of a command by options for the dataclass's fields."""
    signature = inspect.signature(command)
    groups: dict[str, Any] = {}
    parameters = []
    for one in signature.parameters.values():
        if not is_dataclass(one.annotation):
            parameters.append(one)
            continue
        groups[one.name] = group = one.annotation
        hints = get_type_hints(group, include_extras=True)
        parameters += [one.replace(name=f.name, default=f.default, annotation=hints[f.name]) for f in fields(group)]

    @wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    return run


@dataclass(frozen=True)
class DataColumns:
    """Which columns of a data set are used, and how its cases are grouped."""

    group: options.GroupAsForFit = None
    label_column: options.LabelColumn = "label"
    path_column: options.PathColumn = "path"
    subject: options.Subject = None
    label_pattern: options.LabelFromPath = None
    label_level: options.LabelLevel = None
    renamed: options.LabelMap = None
    list_files: options.ListFiles = False

    def dataset(self, data: str, task: Path | None = None) -> "Dataset":
        """Reads a data set of one task; ``task`` is a file with further details."""
        from doubleread.evals.datasets import read_dataset
        from doubleread.evals.datasets.task_file import with_task_file

        found = read_dataset(data, **self._choice())
        self._list(found)
        return found if task is None else found.model_copy(update={"task": with_task_file(found.task, task)})

    def labelled(self, data: str, report: "RowProgress | None" = None, known: Sequence[str] = ()) -> "LabelledCases":
        """Reads labelled cases, with any labels; a word for a missing value is one if it is among ``known``."""
        from doubleread.evals.datasets import read_labelled
        from doubleread.evals.datasets.label_hints import kept_words

        choice = self._choice()
        choice["label_map"] = kept_words(known) | choice["label_map"]
        found = read_labelled(data, progress=report, **choice)
        self._list(found)
        return found

    def _list(self, found: "LabelledCases") -> None:
        for one in (*found.problems, *found.ignored) if self.list_files else ():
            note(one.line)

    def _choice(self) -> dict[str, Any]:
        return {
            "label_column": self.label_column,
            "path_column": self.path_column,
            "group": self.group,
            "subject": self.subject,
            "label": self.label_pattern,
            "label_level": self.label_level,
            "label_map": options.pairs(self.renamed or (), "--map"),
        }

    def as_written(self, data: str) -> str:
        """Returns the data set and these options as they are written on the command line."""
        flags = {
            "--group": self.group,
            "--label-column": self.label_column if self.label_column != "label" else None,
            "--path-column": self.path_column if self.path_column != "path" else None,
            "--subject": self.subject,
            "--label": self.label_pattern,
            "--label-level": self.label_level,
        }
        given = [part for flag, value in flags.items() if value is not None for part in (flag, str(value))]
        return shlex.join([data, *given, *(part for one in self.renamed or () for part in ("--map", one))])

    def labelled_with_bar(self, data: str, known: Sequence[str] = ()) -> "LabelledCases":
        """Reads labelled cases and shows a progress bar while the files are hashed."""
        with progress() as report:
            return self.labelled(data, partial(report, "reading files"), known)


@dataclass(frozen=True)
class FitOptions(DataColumns):
    """What a panel is fitted on, and how."""

    group: options.Group = None
    task: options.TaskFile = None
    settings: options.SettingsFile = None
    encoder: options.Encoder = None
    agents: options.Agents = None
    rule: options.Rule = None

    def chosen(self, record: Path | None = None) -> "Settings":
        """Returns the settings with these flags applied."""
        return options.settings_of(self.settings, self.encoder, self.agents, self.rule, record)


@dataclass(frozen=True)
class TestShare:
    """How many images are kept back to judge the panel on."""

    test_share: Annotated[
        float,
        typer.Option(
            min=0, max=0.9, help="Share of the images to keep back for a test if the data have no test split; 0: none."
        ),
    ] = 0.2

    def held_out(self, dataset: "Dataset", seed: int, judge: str) -> "Dataset":
        """Returns the data set with a test split, and says how to ``judge`` the panel on it.

        Warns, and returns the data set as it is, if there are too few images.
        """
        from doubleread.core.errors import DataError
        from doubleread.core.notices import warn_user

        if not self.test_share or dataset.part("test"):
            return dataset
        try:
            divided = dataset.with_splits(self.test_share, seed=seed)
        except DataError as error:
            warn_user([f"{error}. All images are used to fit: judge the panel on other labelled images"])
            return dataset
        kept, of = len(divided.part("test")), len(divided.cases)
        note(f"{kept} of {of} images are kept back for a test, and not used to fit. To judge the panel: {judge}")
        return divided


@dataclass(frozen=True)
class CaseFilters:
    """Which cases of an archive to select."""

    label: options.OnlyLabels = None
    tag: options.OnlyTags = None
    group: options.OnlyGroups = None
    split: options.OnlySplits = None
    since: options.Since = None
    until: options.Until = None

    def wanted(self) -> "Wanted":
        """Returns the filters as a query."""
        from doubleread.core.stored import Wanted

        names = {"labels": self.label, "tags": self.tag, "groups": self.group, "splits": self.split}
        chosen = {name: frozenset(values or ()) for name, values in names.items()}
        return Wanted(**chosen, since=self.since, until=self.until)
