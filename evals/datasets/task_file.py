"""A task in a TOML file: what the images show, what the labels mean, prevalence and costs."""

from pathlib import Path

from pydantic import ValidationError

from doubleread.core.errors import DataError, FileError, TaskError
from doubleread.core.safe_text import read_toml
from doubleread.core.task import Task
from doubleread.evals.datasets.dataset_record import Dataset


def read_task(path: Path) -> Task:
    """The task in a TOML file; raises ``DataError`` that says what is wrong with it.

    id = "apple-leaves"
    about = "Photographs of single apple leaves; which disease, if any?"
    [[labels]]
    name = "rust"
    description = "orange pustules, often ringed"
    """
    try:
        return Task.model_validate(read_toml(path))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise DataError(f"{path} is no task: {faults}") from None
    except FileError as error:
        raise DataError(str(error)) from None
    except TaskError as error:
        raise DataError(f"{path} is no task: {error}") from None


def with_task(dataset: Dataset, file: Path | None) -> Dataset:
    """The data set under the task of a file; raises ``DataError`` where the two have other labels."""
    if file is None:
        return dataset
    task = read_task(file)
    if set(task.names) != set(dataset.task.names):
        raise DataError(
            f"{file} has the labels {', '.join(sorted(task.names))}; {dataset.name} has {', '.join(dataset.task.names)}"
        )
    return dataset.model_copy(update={"task": task})
