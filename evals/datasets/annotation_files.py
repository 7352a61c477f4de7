"""Annotation files of other tools, recognised by their contents: COCO, Label Studio and FiftyOne."""

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_files import parse_json, read_bytes
from doubleread.core.safe_text import read_head, text_lines
from doubleread.evals.datasets._annotated_rows import Annotated, AnnotationFile, annotated_rows
from doubleread.evals.datasets._dataset_record import LabelledCases, RowProgress
from doubleread.evals.datasets._dataset_rows import gather
from doubleread.evals.datasets._images_beside import SIDE_FOLDERS, home_of
from doubleread.evals.datasets._text_table import CSV_SUFFIXES, read_table
from doubleread.evals.datasets.coco import is_coco, read_coco
from doubleread.evals.datasets.fiftyone_labels import DATA, is_fiftyone, read_fiftyone
from doubleread.evals.datasets.label_names import SPLIT_NAMES
from doubleread.evals.datasets.label_studio import TABLE_COLUMNS, is_label_studio, read_label_studio
from doubleread.evals.datasets.read_choice import USUAL, ReadChoice

JSON_SUFFIX = ".json"
_MOST = 50
"""With more JSON files in a folder, they are notes on single images, and only usual names are looked into."""
_USUAL_NAME = re.compile(r"coco|^instances|^annotations", re.IGNORECASE)
_HEAD = 65_536
_KEYS = re.compile(rb'"(?:images|annotations|categories|info|licenses|classes|labels|data|annotation_id|annotator)"')


class _Kind(NamedTuple):
    name: str
    is_one: Callable[[Any], bool]
    read: Callable[[AnnotationFile, ReadChoice], Annotated]
    beside: tuple[str, str] | None = None
    """In a folder: the name of its file, and of the folder that must be beside it."""


_KINDS = (
    _Kind("COCO", is_coco, read_coco),
    _Kind("Label Studio", is_label_studio, read_label_studio),
    _Kind("FiftyOne", is_fiftyone, read_fiftyone, beside=("labels.json", DATA)),
)


def annotation_files(folder: Path, choice: ReadChoice = USUAL) -> list[AnnotationFile]:
    """The annotation files of a folder; none where labels are to be taken from the paths.

    Raises ``DataError`` for a file that cannot be read, and for files of several tools.
    """
    if choice.label_level is not None or choice.label_pattern is not None:
        return []
    read = [_loaded(file, folder) for file in _candidates(folder)]
    found = [one for one in read if one and _is_meant(one)]
    if len({_kind(one).name for one in found}) > 1:
        told = ", ".join(f"{one.name} ({_kind(one).name})" for one in found)
        raise DataError(f"{folder} has annotation files of several tools: {told}. Name the file to read")
    return found or _in_only_folder(folder, choice)


def annotations_in(file: Path) -> list[AnnotationFile]:
    """The annotation file that this JSON file or table is; none for any other. Raises ``DataError`` for broken JSON."""
    suffix, folder = file.suffix.lower(), home_of(file)
    if suffix == JSON_SUFFIX:
        loaded = _loaded(file, folder, anyhow=True)
        return [] if loaded is None else [loaded]
    if suffix not in CSV_SUFFIXES or not _is_task_table(file):
        return []
    table = read_table(file)
    return [AnnotationFile(file, folder, [dict(row) for row in table.rows], table.problems)] if table.rows else []


def read_annotations(
    files: Sequence[AnnotationFile], choice: ReadChoice, progress: RowProgress | None = None, *, alone: bool = False
) -> LabelledCases:
    """The labelled cases of these annotation files; those of a folder (not ``alone``) also tell of images left over.

    Raises ``DataError`` for a file that breaks its format, and what ``gather`` raises.
    """
    annotated = [_kind(file).read(file, choice) for file in files]
    rows = annotated_rows(files, annotated, choice, alone=alone)
    names = ", ".join(file.name for file in files)
    advice = "" if alone else "; to take the names of the folders as labels, give --label-level"
    notes = [f"images and labels are those that {names} names ({_kind(files[0]).name}){advice}"]
    notes += [note for one in annotated for note in one.notes]
    name = files[0].file.stem if alone else files[0].folder.resolve().name
    return gather(
        name or "images", rows.rows, choice, notes=[*notes, *rows.notes], progress=progress, ignored=rows.ignored
    )


def _is_meant(file: AnnotationFile) -> bool:
    """Whether a file that was found in a folder is its annotation file, and not another file that looks like one."""
    beside = _kind(file).beside
    return beside is None or (file.file.name == beside[0] and (file.file.parent / beside[1]).is_dir())


def _is_task_table(file: Path) -> bool:
    try:
        header = next(text_lines(file), "")
    except FileError:
        return False
    return set(TABLE_COLUMNS) <= set(re.findall(r"\w+", header))


def _kind(file: AnnotationFile) -> _Kind:
    return next(kind for kind in _KINDS if kind.is_one(file.content))


def _candidates(folder: Path) -> Iterator[Path]:
    homes = [one for one in _entries(folder) if one.name.lower() in SPLIT_NAMES.keys() | SIDE_FOLDERS]
    for home in (folder, *(one for one in homes if one.is_dir())):
        found = [one for one in _entries(home) if one.suffix.lower() == JSON_SUFFIX and one.is_file()]
        yield from (one for one in found if len(found) <= _MOST or _USUAL_NAME.search(one.name))


def _entries(folder: Path) -> list[Path]:
    """What is in a folder; a folder that cannot be opened is reported where its images are looked for."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _in_only_folder(folder: Path, choice: ReadChoice) -> list[AnnotationFile]:
    """Those of the only folder in this one, as archives are often unpacked."""
    entries = [one for one in _entries(folder) if not one.name.startswith(".")]
    inner = [one for one in entries if one.is_dir() and not one.is_symlink()]
    return annotation_files(inner[0], choice) if len(inner) == 1 and len(entries) <= 5 else []


def _loaded(file: Path, folder: Path, *, anyhow: bool = False) -> AnnotationFile | None:
    try:
        if not anyhow and not _KEYS.search(read_head(file, _HEAD)):
            return None
        content = parse_json(_utf8(read_bytes(file)), file)
    except FileError as error:
        raise DataError(str(error)) from None
    loaded = AnnotationFile(file, folder, content)
    return loaded if any(kind.is_one(content) for kind in _KINDS) else None


def _utf8(data: bytes) -> bytes:
    return data.removeprefix(b"\xef\xbb\xbf")
