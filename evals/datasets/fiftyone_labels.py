"""FiftyOne's image classification format: ``labels.json`` beside a folder ``data``."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from doubleread.core.errors import DataError
from doubleread.evals.datasets._annotated_rows import Annotated, AnnotationFile, ImageLabel, one_label, plain_values
from doubleread.evals.datasets.folder_walk import walk
from doubleread.evals.datasets.read_choice import USUAL, ReadChoice

DATA = "data"


def is_fiftyone(content: Any) -> bool:
    """Whether this is ``{"classes": …, "labels": {…}}``."""
    return isinstance(content, dict) and "classes" in content and isinstance(content.get("labels"), dict)


def read_fiftyone(file: AnnotationFile, choice: ReadChoice = USUAL) -> Annotated:
    """The images of ``labels.json`` by their path in ``data`` without its suffix; attributes become columns.

    Raises ``DataError`` for a list of classes that is no list.
    """
    if (choice.label, choice.path) != (USUAL.label, USUAL.path):
        raise DataError(f"{file.file} has no columns: its labels are the classes; leave the column options out")
    classes = file.content["classes"] or ()
    if not isinstance(classes, list | tuple):
        raise DataError(f"{file.file}: 'classes' must be a list, not {type(classes).__name__}")
    paths = _paths(file.file.parent / DATA)
    images = [
        _image(f"{file.name}, {name[:100]}", paths.get(name, name), target, classes)
        for name, target in file.content["labels"].items()
    ]
    return Annotated(images, [])


def _image(where: str, path: str, target: Any, classes: Sequence[Any]) -> ImageLabel:
    targets = [one for one in (target if isinstance(target, list) else [target]) if one is not None]
    try:
        labels = [_name(one.get("label") if isinstance(one, dict) else one, classes) for one in targets]
    except ValueError as error:
        return ImageLabel(where, path, problem=str(error))
    label, problem = one_label(labels, none="it has no label", kind="labels")
    attributes = [one.get("attributes") for one in targets if isinstance(one, dict)]
    return ImageLabel(where, path, label, problem, plain_values(*attributes))


def _name(label: Any, classes: Sequence[Any]) -> str:
    if isinstance(label, str):
        return label.strip()
    if isinstance(label, int) and not isinstance(label, bool) and 0 <= label < len(classes):
        return str(classes[label]).strip()
    raise ValueError(f"its label {str(label)[:60]!r} is not one of the {len(classes)} classes")


def _paths(data: Path) -> dict[str, str]:
    """The images of the folder by their path without the suffix."""
    found = walk(data).images if data.is_dir() else ()
    return {path.with_suffix("").as_posix(): f"{DATA}/{path.as_posix()}" for path in found}
