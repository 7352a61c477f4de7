"""A folder of images whose sub-folders, or file names, tell the labels; and images without labels."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from doubleread.core.case import Case, RowProblem
from doubleread.core.errors import DataError
from doubleread.core.notices import Caution
from doubleread.core.verdict import Unread
from doubleread.evals.datasets._chosen_layout import layout_of
from doubleread.evals.datasets._dataset_record import LabelledCases, RowProgress
from doubleread.evals.datasets._dataset_rows import DatasetRow, gather
from doubleread.evals.datasets._groups import GroupOf, RowKeys, group_key
from doubleread.evals.datasets.folder_layout import FolderLayout, Place
from doubleread.evals.datasets.folder_walk import FolderWalk, walk
from doubleread.evals.datasets.label_names import suffix
from doubleread.evals.datasets.read_choice import USUAL, ReadChoice

_MANIFESTS = (".csv", ".tsv", ".jsonl")
_BEFORE_NUMBER = r"([^/]+?)[ _-]?\d+\.\w+$"
"""A file name that ends in a number; the group is what stands before it."""


def read_folder(folder: Path, choice: ReadChoice = USUAL, progress: RowProgress | None = None) -> LabelledCases:
    """The labelled cases of a folder: as ``choice`` says, or else by its layout (``read_layout``).

    Raises ``DataError`` for a folder without images or without label folders, one that can be read in several ways,
    and what ``gather`` raises.
    """
    found = walk(folder)
    if not found.images:
        raise DataError(f"no images in {folder} or in its sub-folders{_seen(found)}")
    keys = _keys(choice, found.images)
    layout = _layout(folder, found.images, choice)
    rows: list[DatasetRow | RowProblem] = [_row(folder, path, place, keys) for path, place in layout.places.items()]
    rows += [_left_out(path, reason) for path, reason in layout.left_out.items()]
    rows += [*found.problems, *_without_images(found, layout)]
    notes = [*layout.notes, *_unread_tables(folder), *keys.notes]
    name = folder.resolve().name or "images"
    return gather(name, rows, choice, notes=notes, progress=progress, ignored=found.ignored)


def read_unlabelled(sources: Sequence[str], *, group: str | None = None) -> tuple[list[Case], list[Unread]]:
    """The images of these files and folders, and those that cannot be opened; ``group`` is a pattern (``re:(…)``).

    Raises ``DataError`` where there is no image at all, or ``group`` is not a pattern.
    """
    if group is not None and not group.startswith("re:"):
        raise DataError(f"group {group!r}: images have no columns. {_pattern_help('')}")
    key = group_key(group, (), "path") if group else None
    cases: list[Case] = []
    unread: list[Unread] = []
    for path in (path for source in sources for path in _files(Path(source).expanduser(), unread)):
        try:
            cases.append(Case.from_file(path, group=key({"path": path.as_posix()}) if key else None))
        except DataError as error:
            unread.append(Unread(source=str(path), code="unreadable", problem=str(error)))
    if not cases and not unread:
        raise DataError(f"there are no images in {', '.join(sources)}")
    return cases, unread


def subject_pattern(text: str, example: str) -> GroupOf:
    """The rule by which a pattern (``re:(…)``) takes the subject from a path; raises ``DataError`` for others."""
    if not text.startswith("re:"):
        raise DataError(f"subject {text!r}: images have no columns. {_pattern_help(example, 'subject')}")
    return group_key(text, (), "path", "subject")


def _files(source: Path, unread: list[Unread]) -> list[Path]:
    if not source.is_dir():
        return [source]
    found = walk(source)
    unread += [Unread(source=str(source / one.where), code="unreadable", problem=one.problem) for one in found.problems]
    return [source / path for path in found.images]


def _layout(folder: Path, images: Sequence[Path], choice: ReadChoice) -> FolderLayout:
    try:
        return layout_of(images, choice)
    except DataError as error:
        raise DataError(f"{folder}: {error}{_tables_told(folder)}") from None


def _keys(choice: ReadChoice, found: Sequence[Path]) -> RowKeys:
    for what, text in (("group", choice.group), ("subject", choice.subject)):
        if text is not None and not text.startswith("re:"):
            raise DataError(f"{what} {text!r}: a folder has no columns. {_pattern_help(found[0].name, what)}")
    return RowKeys.of(choice, (), "path")


def _pattern_help(name: str, what: str = "group") -> str:
    """Says how a pattern finds groups in paths, with the file name as the example if it ends in a number."""
    pattern, example = r"re:(plant\d+)", "rust/plant07-3.jpg"
    if numbered := re.match(rf"{_BEFORE_NUMBER}", name):
        pattern, example = f"re:{_BEFORE_NUMBER}", name
        taken = numbered[1]
    else:
        taken = "plant07"
    return (
        f"Give a pattern that finds the {what} in the path, with the {what} in round brackets: --{what} "
        f"'{pattern}' takes {taken!r} from {example!r}. Or list the images in a manifest with a column for the {what}"
    )


def _row(folder: Path, path: Path, place: Place, keys: RowKeys) -> DatasetRow:
    text = path.as_posix()
    group, subject = keys.of_row({"path": text})
    return DatasetRow(
        where=text,
        path=folder / path,
        source=text,
        label=place.label,
        group=group,
        subject=subject,
        split=place.split,
    )


def _left_out(path: Path, reason: str) -> RowProblem:
    return RowProblem(where=str(path), path=str(path), problem=reason, reason=reason)


def _without_images(found: FolderWalk, layout: FolderLayout) -> list[RowProblem]:
    """The label folders without an image."""
    filled = {parent for path in found.images for parent in path.parents}
    empty = [one for one in found.folders if one not in filled and one.parent.parts in layout.label_homes]
    told = "it is beside the label folders, but there is no image in it"
    return [RowProblem(where=str(one), problem=told, reason="label folders without images") for one in empty]


def _unread_tables(folder: Path) -> list[str]:
    tables = _tables(folder)
    told = f"{', '.join(tables)} in this folder was not read; name it as the source to use its columns"
    return [Caution(told)] if tables else []


def _tables(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir() if suffix(entry) in _MANIFESTS)


def _tables_told(folder: Path) -> str:
    tables = _tables(folder)
    return f". If {tables[0]} names the labels, give it instead: {folder / tables[0]}" if tables else ""


def _seen(found: FolderWalk) -> str:
    """What there is instead of images."""
    reasons = Counter(one.reason for one in (*found.problems, *found.ignored))
    told = ", ".join(f"{n:,} {reason}" for reason, n in reasons.most_common(6))
    return f"; found {told}" if told else ""
