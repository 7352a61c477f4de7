"""A folder with one sub-folder of images per label, and images without labels."""

import errno
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from doubleread.core.case import Case, RowProblem
from doubleread.core.errors import DataError
from doubleread.core.notices import Caution
from doubleread.core.verdict import Unread
from doubleread.evals.datasets._dataset_record import LabelledCases, RowProgress
from doubleread.evals.datasets._dataset_rows import DatasetRow, gather
from doubleread.evals.datasets._groups import GroupOf, RowKeys, group_key
from doubleread.evals.datasets.label_names import FOREIGN_SUFFIXES, IMAGE_SUFFIXES, SPLIT_NAMES, split_name, suffix
from doubleread.evals.datasets.read_choice import USUAL, ReadChoice

_MANIFESTS = (".csv", ".tsv", ".jsonl")
_BEFORE_NUMBER = r"([^/]+?)[ _-]?\d+\.\w+$"
"""A file name that ends in a number; the group is what stands before it."""


def read_folder(folder: Path, choice: ReadChoice = USUAL, progress: RowProgress | None = None) -> LabelledCases:
    """The labelled cases of a folder; sub-folders named train, val, test … are taken as splits of label folders.

    Raises ``DataError`` for a folder without images or without label folders, and what ``gather`` raises.
    """
    closed: list[OSError] = []
    found = sorted(images_in(folder, closed.append))
    if not found:
        raise DataError(f"no images in {folder}; looked for {', '.join(sorted(IMAGE_SUFFIXES))} in its sub-folders")
    keys = _keys(choice, found)
    depth = 3 if _has_splits(found) else 2
    loose = [path for path in found if len(path.parts) < depth]
    if len(loose) == len(found):
        raise DataError(
            f"{folder} contains {len(found)} images but no sub-folder per label; sort them into one sub-folder "
            "per label, or give a manifest (CSV or JSONL with the columns path and label)"
        )
    read: list[DatasetRow | RowProblem] = [
        _row(folder, path, depth, keys) for path in found if len(path.parts) >= depth
    ]
    read += [RowProblem(where=str(path), path=str(path), problem="not in a label's sub-folder") for path in loose]
    read += map(closed_folder, closed)
    return gather(folder.resolve().name or "images", read, notes=_notes(folder, depth == 3), progress=progress)


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


def _files(source: Path, unread: list[Unread]) -> list[Path]:
    if not source.is_dir():
        return [source]

    def closed(error: OSError) -> None:
        problem = closed_folder(error)
        unread.append(Unread(source=problem.where, code="unreadable", problem=problem.problem))

    return [source / path for path in sorted(images_in(source, closed))]


def closed_folder(error: OSError) -> RowProblem:
    """What is told of a folder that cannot be read."""
    return RowProblem(where=str(error.filename), problem=f"the folder cannot be read: {error.strerror}")


def images_in(folder: Path, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    """Relative paths of everything that looks like an image, hidden files and folders aside; links are followed.

    Folders that cannot be opened, and links that lead to the folder itself or to one above it, go to ``on_error``.
    """
    above = {_known_by(one) for one in (folder.resolve(), *folder.resolve().parents)}
    visited: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        home = waiting.pop()
        try:
            known = _known_by(home)
            if home != folder and known in above:
                raise OSError(errno.ELOOP, "it is a link to a folder that contains it", str(home))
            if known in visited:
                continue
            visited.add(known)
            with os.scandir(home) as found:
                entries = [entry for entry in found if not entry.name.startswith(".")]
        except OSError as error:
            on_error(error)
            continue
        for entry in entries:
            path = Path(entry.path)
            if _is_folder(entry):
                waiting.append(path)
            elif suffix(path) in IMAGE_SUFFIXES | FOREIGN_SUFFIXES:
                yield path.relative_to(folder)


def _known_by(folder: Path) -> tuple[int, int]:
    found = folder.stat()
    return found.st_dev, found.st_ino


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def _has_splits(found: list[Path]) -> bool:
    tops = {path.parts[0].lower() for path in found if len(path.parts) > 1}
    deep = all(len(path.parts) > 2 for path in found if len(path.parts) > 1)
    return bool(tops) and deep and tops <= SPLIT_NAMES.keys()


def _keys(choice: ReadChoice, found: Sequence[Path]) -> RowKeys:
    for what, text in (("group", choice.group), ("subject", choice.subject)):
        if text is not None and not text.startswith("re:"):
            raise DataError(f"{what} {text!r}: a folder has no columns. {_pattern_help(found[0].name, what)}")
    return RowKeys.of(choice, (), "path")


def _row(folder: Path, path: Path, depth: int, keys: RowKeys) -> DatasetRow:
    text = path.as_posix()
    group, subject = keys.of_row({"path": text})
    return DatasetRow(
        where=text,
        path=folder / path,
        source=text,
        label=path.parts[depth - 2].strip(),
        group=group,
        subject=subject,
        split=split_name(path.parts[0], text) if depth == 3 else None,
    )


def _notes(folder: Path, splits: bool) -> list[str]:
    notes = ["labels are the names of the sub-folders"]
    if splits:
        notes.append("splits are the names of the top folders")
    manifests = sorted(entry.name for entry in folder.iterdir() if suffix(entry) in _MANIFESTS)
    if manifests:
        told = f"{', '.join(manifests)} in this folder was not read; name it as the source to use its columns"
        notes.append(Caution(told))
    return notes
