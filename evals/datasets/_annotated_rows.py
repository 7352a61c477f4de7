"""From the images that annotation files name to the rows of a data set."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from doubleread.core.case import RowProblem
from doubleread.core.notices import Caution
from doubleread.evals.datasets._dataset_rows import DatasetRow
from doubleread.evals.datasets._groups import RowKeys
from doubleread.evals.datasets._images_beside import FoundImage, ImagesBeside
from doubleread.evals.datasets._text_table import as_text
from doubleread.evals.datasets.label_names import SPLIT_NAMES
from doubleread.evals.datasets.manifest_dataset import manifest_row
from doubleread.evals.datasets.read_choice import ReadChoice

_PATH, _LABEL, _SPLIT = "path", "label", "split"


@dataclass(frozen=True)
class AnnotationFile:
    """An annotation file, the folder it was found in, and what it contains."""

    file: Path
    folder: Path
    content: Any
    problems: tuple[RowProblem, ...] = ()

    @property
    def name(self) -> str:
        """Its path below the folder."""
        return self.file.relative_to(self.folder).as_posix()

    @property
    def split(self) -> str:
        """The split that its folder or name tells, as in ``train/…`` or ``instances_train2017.json``; else empty."""
        words = [self.file.parent.name.lower()] if self.file.parent != self.folder else []
        words += re.findall(r"[a-z]+", self.file.stem.lower())
        return next((word for word in words if word in SPLIT_NAMES), "")


@dataclass(frozen=True)
class ImageLabel:
    """One image as an annotation file names it, with its label or what is wrong with it."""

    where: str
    image: str
    label: str = ""
    problem: str = ""
    values: dict[str, str] = field(default_factory=dict)
    """Further columns, such as ``group`` and ``split``."""


class Annotated(NamedTuple):
    """The images of one annotation file, and notes about it."""

    images: list[ImageLabel]
    notes: list[str]


class AnnotatedRows(NamedTuple):
    """The rows of all files, and notes about them."""

    rows: list[DatasetRow | RowProblem]
    notes: list[str]
    ignored: list[RowProblem]
    """Files of the folder that are not images."""


def one_label(labels: Iterable[str], *, none: str, kind: str) -> tuple[str, str]:
    """The only label, or what is wrong: ``none`` where there is none; ``kind`` names what there are several of."""
    found = sorted(set(labels))
    if len(found) == 1:
        return found[0], ""
    several = f"it has several {kind} ({', '.join(found)[:200]}); an image needs exactly one"
    return "", several if found else none


def plain_values(*sources: Any) -> dict[str, str]:
    """The plain values of JSON objects as text; a later object goes first."""
    found: dict[str, str] = {}
    for source in sources:
        if isinstance(source, dict):
            found |= {name: as_text(value) for name, value in source.items() if isinstance(value, str | int | float)}
    return found


def annotated_rows(
    files: Sequence[AnnotationFile], annotated: Sequence[Annotated], choice: ReadChoice, *, alone: bool
) -> AnnotatedRows:
    """The rows of the images that these files name; unless ``alone``, images that none names are problems.

    Raises ``DataError`` for a group or subject that cannot be used, and for an unknown split.
    """
    root = files[0].folder
    beside = ImagesBeside(root)
    named = [
        (file, one, beside.find(one.image, file.file)) for file, some in zip(files, annotated, strict=True)
        for one in some.images
    ]  # fmt: skip
    shared = _claimed_twice((f"{file.name}: {one.image}", found) for file, one, found in named)
    columns = dict.fromkeys((_PATH, _LABEL, _SPLIT, *(name for _, one, _ in named for name in one.values)))
    keys = RowKeys.of(choice, tuple(columns), _PATH)
    splits = _splits(named)
    plain = choice._replace(label=_LABEL, path=_PATH)
    rows: list[DatasetRow | RowProblem] = [problem for file in files for problem in file.problems]
    for (_, one, found), split in zip(named, splits.of, strict=True):
        rows.append(_row(root, one, found, split, plain, keys, shared))
    if not alone:
        rows += beside.others(found.path for _, _, found in named)
    notes = [*splits.notes, *beside.notes(found for _, _, found in named), *keys.notes]
    return AnnotatedRows(rows, notes, [] if alone else beside.walked.ignored)


def _row(
    root: Path, one: ImageLabel, found: FoundImage, split: str, plain: ReadChoice, keys: RowKeys, shared: set[Path]
) -> DatasetRow | RowProblem:
    told = one.problem or found.problem
    if found.by_name and found.path in shared:
        told = f"several entries may mean {found.path}, since they share its name; give the files different names"
    if told or found.path is None:
        return RowProblem(where=one.where, path=one.image[:300], problem=told)
    path = found.path.relative_to(root).as_posix() if found.path.is_relative_to(root) else str(found.path)
    return manifest_row(root, one.where, {**one.values, _PATH: path, _LABEL: one.label, _SPLIT: split}, plain, keys)


def _claimed_twice(named: Iterable[tuple[str, FoundImage]]) -> set[Path]:
    """Files that entries with different paths were led to."""
    claims = {(image, found.path) for image, found in named if found.path is not None}
    return {path for path, n in Counter(path for _, path in claims).items() if n > 1}


class _Splits(NamedTuple):
    of: list[str]
    notes: list[str]


def _splits(named: Sequence[tuple[AnnotationFile, ImageLabel, FoundImage]]) -> _Splits:
    """Each row's split: as its values say, or its file, or the first folder of the path if all of these are splits."""
    tops = [PurePosixPath(one.image.replace("\\", "/")).parts[:1] for _, one, _ in named]
    by_folder = len(set(tops)) > 1 and all(top and top[0].lower() in SPLIT_NAMES for top in tops)
    splits = [
        one.values.get(_SPLIT) or file.split or (top[0] if by_folder else "")
        for (file, one, _), top in zip(named, tops, strict=True)
    ]
    only = set(splits)
    if len(only) == 1 and "" not in only:
        return _Splits([""] * len(splits), [Caution(f"{only.pop()!r} is the only split: it is not taken as one")])
    return _Splits(splits, [])
