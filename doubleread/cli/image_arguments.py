"""Images that a command names: files, folders of them, patterns, and `-` for paths on stdin."""

import sys
from collections.abc import Iterator, Sequence
from glob import glob, has_magic
from pathlib import Path

from doubleread.core.errors import DataError


def image_paths(named: Sequence[str]) -> list[str]:
    """Returns the files that the arguments name, each once and in order; a file that does not exist stays.

    Raises:
        DataError: A folder or pattern has no images, or stdin names none.
    """
    return list(dict.fromkeys(path for one in named for path in _files(one)))


def _files(named: str) -> Iterator[str]:
    path = Path(named).expanduser()
    if named == "-":
        yield from _found(named, (line for line in map(str.strip, sys.stdin) if line), "a path on each line of stdin")
    elif path.is_dir():
        yield from _found(named, _in_folder(path), "images in the folder or in its sub-folders")
    elif not path.exists() and has_magic(named):
        yield from _found(named, sorted(glob(str(path), recursive=True)), "files that match the pattern")  # noqa: PTH207
    else:
        yield str(path)


def _in_folder(folder: Path) -> list[str]:
    from doubleread.cli.screen import warn
    from doubleread.evals.datasets.folder_walk import walk

    found = walk(folder)
    for one in found.problems:
        warn(one.line)
    return [str(folder / path) for path in found.images]


def _found(named: str, paths: "Iterator[str] | Sequence[str]", wanted: str) -> Sequence[str]:
    found = list(paths)
    if not found:
        raise DataError(f"{named}: no image found; expected {wanted}")
    return found
