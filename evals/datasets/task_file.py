"""A task file: TOML that states what it changes of a task, and nothing else."""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import Field, ValidationError

from doubleread.core.base import Record
from doubleread.core.errors import DataError, FileError, TaskError
from doubleread.core.label_text import as_known
from doubleread.core.safe_text import read_toml
from doubleread.core.task import Costs, Label, Task

Stated = TypeVar("Stated", bound=Record)
Value = TypeVar("Value")


class TaskFile(Record):
    """What a task file states; None or empty: not stated.

    about = "Photographs of single apple leaves; which disease, if any?"
    [[labels]]
    name = "rust"
    description = "orange pustules, often ringed"
    [costs]
    referral = 0.1
    """

    id: str | None = Field(default=None, min_length=1)
    about: str | None = None
    labels: tuple[Label, ...] = ()
    """Some or all labels of the task, by name."""
    prior: dict[str, float] | None = None
    """A share for every label of the task."""
    costs: Costs | None = None

    def applied_to(self, task: Task) -> Task:
        """Returns the task with these changes. Labels named here come first, in this order.

        Raises:
            TaskError: A label is not one of the task, or the result is not a valid task.
        """
        described = _spelt({label.name: label for label in self.labels}, task)
        stated = {name: label.model_copy(update={"name": name}) for name, label in described.items()}
        if len(stated) < len(self.labels):
            raise TaskError(f"a label is described twice: {', '.join(label.name for label in self.labels)}")
        for name in stated:
            task.index(name)
        own = {label.name: label for label in task.labels}
        labels = tuple(_changed(own[name], stated.get(name)) for name in dict.fromkeys([*stated, *own]))
        return Task(
            id=self.id or task.id,
            about=task.about if self.about is None else self.about,
            labels=labels,
            prior=task.prior if self.prior is None else _spelt(self.prior, task),
            costs=_changed(task.costs, self.costs and _priced(self.costs, task)),
        )


def read_task_file(path: Path) -> TaskFile:
    """Reads a task file. Raises ``DataError`` that says what is wrong with it."""
    try:
        found = TaskFile.model_validate(read_toml(path))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        allowed = ", ".join(TaskFile.model_fields)
        raise DataError(f"{path} is no task file: {faults}. It may state {allowed}; see docs/howto/costs.md") from None
    except FileError as error:
        raise DataError(str(error)) from None
    if not found.model_fields_set:
        raise DataError(f"{path} states nothing. A task file may state {', '.join(TaskFile.model_fields)}")
    return found


def with_task_file(task: Task, path: Path) -> Task:
    """Returns the task with the changes that a file states. Raises ``DataError`` that says what is wrong with them."""
    try:
        return read_task_file(path).applied_to(task)
    except TaskError as error:
        raise DataError(f"{path}: {error}") from None


def decision_changes(task: Task, path: Path) -> tuple[Costs, Mapping[str, float]]:
    """Returns the costs and the prior of a task file, for a panel that was already fitted on ``task``.

    Raises:
        DataError: The file states anything else that differs: agents have learned the labels and their descriptions.
    """
    changed = with_task_file(task, path)
    learned = {"labels", "about"}
    differ = [name for name in sorted(learned) if _by_name(changed, name) != _by_name(task, name)]
    if differ:
        raise DataError(
            f"{path} changes {' and '.join(differ)}, which a fitted panel has learned: fit it again with --task "
            f"{path}. For a fitted panel, a task file may change costs and prior"
        )
    return changed.costs, changed.prior


def _spelt(stated: Mapping[str, Value], task: Task) -> dict[str, Value]:
    """Returns what is stated by label, the labels as the task spells them."""
    return {as_known(name, task.names): value for name, value in stated.items()}


def _priced(costs: Costs, task: Task) -> Costs:
    matrix = {name: _spelt(row, task) for name, row in _spelt(costs.matrix, task).items()}
    return costs.model_copy(update={"matrix": matrix}) if costs.matrix else costs


def _by_name(task: Task, name: str) -> object:
    return {label.name: label for label in task.labels} if name == "labels" else task.about


def _changed(old: Stated, new: Stated | None) -> Stated:
    """Returns the record with the fields that the new one states."""
    return old if new is None else old.model_copy(update={name: getattr(new, name) for name in new.model_fields_set})
