"""Exports of Label Studio with one choice an image: JSON, JSON-MIN and CSV."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_files import parse_json
from doubleread.evals.datasets._annotated_rows import Annotated, AnnotationFile, ImageLabel, one_label, plain_values
from doubleread.evals.datasets.label_names import IMAGE_SUFFIXES
from doubleread.evals.datasets.read_choice import USUAL, ReadChoice

TABLE_COLUMNS = ("annotation_id", "annotator")
"""Columns that tell an export of Label Studio from another table."""
_OWN = frozenset({*TABLE_COLUMNS, "id", "created_at", "updated_at", "lead_time", "agreement"})
_CHOICE, _IMAGE = "choice", "image"
_ANNOTATIONS = ("annotations", "completions")
"""The key of annotations now, and in exports of older versions."""


class _Answer(NamedTuple):
    question: str
    label: str


def is_label_studio(content: Any) -> bool:
    """Whether this is a list of tasks, or of the rows of JSON-MIN."""
    if not isinstance(content, list) or not content or not isinstance(first := content[0], dict):
        return False
    return _is_task(first) or all(name in first for name in TABLE_COLUMNS)


def read_label_studio(file: AnnotationFile, choice: ReadChoice = USUAL) -> Annotated:
    """The images of the tasks with the choice on which all annotators agree; skipped annotations do not count.

    Data of the tasks become columns. Predictions, boxes and other regions are not used. ``choice.label`` names the
    question where there are several, and ``choice.path`` the image. Raises ``DataError`` for a file that breaks the
    format.
    """
    for i, one in enumerate(file.content, start=1):
        if not isinstance(one, dict):
            raise DataError(f"{file.file}: task {i} must be an object, not {type(one).__name__}")
    tasks = file.content if _is_task(file.content[0]) else _as_tasks(file, choice)
    answers = [list(_choices(task)) for task in tasks]
    question = _question(file, {one.question for some in answers for one in some}, choice)
    images = [
        _image(f"{file.name}, task {_number(task, i)}", task, {x.label for x in some if x.question == question}, choice)
        for i, (task, some) in enumerate(zip(tasks, answers, strict=True), start=1)
    ]
    return Annotated(images, _notes(tasks))


def _is_task(record: Mapping[str, Any]) -> bool:
    return isinstance(record.get("data"), dict) and any(name in record for name in (*_ANNOTATIONS, "predictions"))


def _number(task: Mapping[str, Any], place: int) -> str:
    return str(task.get("id") or task.get("inner_id") or place)[:60]


def _image(where: str, task: Mapping[str, Any], labels: Iterable[str], choice: ReadChoice) -> ImageLabel:
    data = task["data"] if isinstance(task.get("data"), dict) else {}
    key = _image_key(data, choice)
    if key is None:
        return ImageLabel(where, "", problem=f"its data name no image; name the key with --path-column ({_keys(data)})")
    label, problem = one_label(labels, none=_why_none(task), kind="labels, by its annotators or in one annotation")
    return ImageLabel(where, str(data[key]), label, problem, plain_values({k: v for k, v in data.items() if k != key}))


def _image_key(data: Mapping[str, Any], choice: ReadChoice) -> str | None:
    """The key of the image: the one that is named, else ``image``, else the only one whose value looks like one."""
    asked = choice.path if choice.path != USUAL.path else _IMAGE
    if isinstance(data.get(asked), str):
        return asked
    if asked != _IMAGE:
        return None
    like = [
        key for key, value in data.items() if isinstance(value, str) and value.lower().endswith(tuple(IMAGE_SUFFIXES))
    ]
    return like[0] if len(like) == 1 else None


def _keys(data: Mapping[str, Any]) -> str:
    return f"keys: {', '.join(map(str, data))[:200] or 'none'}"


def _annotations(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    given: list[Any] = next((task[name] for name in _ANNOTATIONS if isinstance(task.get(name), list)), [])
    return [one for one in given if isinstance(one, dict)]


def _choices(task: Mapping[str, Any]) -> Iterable[_Answer]:
    """The choices of all annotations that were not skipped."""
    for one in _annotations(task):
        results = () if one.get("was_cancelled") or one.get("skipped") else one.get("result")
        for result in results if isinstance(results, list) else ():
            value = result.get("value") if isinstance(result, dict) else None
            chosen = value.get("choices") if isinstance(value, dict) else None
            for label in chosen if isinstance(chosen, list) else ():
                yield _Answer(str(result.get("from_name", _CHOICE)), str(label).strip())


def _why_none(task: Mapping[str, Any]) -> str:
    given = _annotations(task)
    if not given:
        return "it has no annotation"
    skipped = all(one.get("was_cancelled") or one.get("skipped") for one in given)
    return "its annotators skipped it" if skipped else "its annotation has no choice"


def _question(file: AnnotationFile, questions: set[str], choice: ReadChoice) -> str:
    if choice.label in questions:
        return choice.label
    if len(questions) > 1 or (questions and choice.label != USUAL.label):
        named = ", ".join(sorted(questions))[:200]
        raise DataError(f"{file.file} has the questions {named}; name the one that holds the label with --label-column")
    return next(iter(questions), _CHOICE)


def _as_tasks(file: AnnotationFile, choice: ReadChoice) -> list[dict[str, Any]]:
    """The rows of JSON-MIN or CSV, one an annotation, as tasks."""
    rows = file.content
    named = {name for row in rows for name in row}
    asked = choice.label if choice.label != USUAL.label or _CHOICE not in named else _CHOICE
    if asked not in named:
        told = ", ".join(name for name in rows[0] if name not in _OWN)[:200]
        raise DataError(f"{file.file} has no column {asked!r} for the label; name it with --label-column ({told})")
    annotations: dict[str, list[dict[str, Any]]] = defaultdict(list)
    tasks: dict[str, dict[str, Any]] = {}
    for i, row in enumerate(rows, start=1):
        key = str(row.get("id") or f"row {i}")
        data = {name: value for name, value in row.items() if name not in _OWN and name != asked}
        tasks.setdefault(key, {"id": key, "data": data, "annotations": annotations[key]})
        result = {"from_name": asked, "value": {"choices": _listed(row.get(asked))}}
        annotations[key].append({"result": [result]})
    return list(tasks.values())


def _listed(value: Any) -> list[Any]:
    """One choice, or several: ``{"choices": […]}``, in a table as JSON text."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = parse_json(value, "choices")
        except FileError:
            return [value]
    if isinstance(value, dict) and isinstance(value.get("choices"), list):
        return [*value["choices"]]
    return [value if isinstance(value, str) else json.dumps(value)] if value else []


def _notes(tasks: Iterable[Mapping[str, Any]]) -> list[str]:
    predicted = sum(bool(task.get("predictions")) for task in tasks)
    return [f"{predicted:,} tasks have predictions, which are not labels and were not used"] if predicted else []
