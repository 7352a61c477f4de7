"""Images that a command names: files, folders of them, patterns, tables with a column of paths, and ``-`` for stdin."""

import asyncio
import io
import os
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from glob import glob, has_magic
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from doubleread.core.errors import DataError, FileMissing
from doubleread.core.image_paths import locate

if TYPE_CHECKING:
    from doubleread.core.verdict import Unread

STDIN = "-"
_CHUNK = 65_536
_WAITING = 10_000
"""Lines of stdin that are read ahead."""


@dataclass
class NamedImages:
    """The images that arguments name, each file once and in order."""

    arguments: Sequence[str]
    found: "list[str | Unread]" = field(default_factory=list)
    """Those that are known before stdin is read."""
    notes: list[str] = field(default_factory=list)
    """How tables were read."""
    _readings: Counter[str] = field(default_factory=Counter)
    _seen: set[str] = field(default_factory=set)

    @property
    def streamed(self) -> bool:
        """Whether paths come from stdin, so that their number is not known."""
        return STDIN in self.arguments

    def add(self, named: "str | Unread") -> "str | Unread | None":
        """Returns a path as it is to be opened; None if the file was named before."""
        if not isinstance(named, str):
            return named
        try:
            found = locate(named)
            text, reading = str(found.path), found.note
        except FileMissing:
            text, reading = named, ""
        self._readings[reading] += bool(reading)
        file = os.path.abspath(text)  # noqa: PTH100 - without following links
        if file in self._seen:
            return None
        self._seen.add(file)
        return text

    def path_notes(self) -> list[str]:
        """How paths were read that are not there as they are written."""
        return [f"{n:,} {'path' if n == 1 else 'paths'}: {told}" for told, n in self._readings.items() if told]

    async def stream(self) -> "AsyncIterator[str | Unread]":
        """Yields all images, those of stdin as its lines come in. Raises ``DataError`` if stdin names none."""
        for one in self.found:
            yield one
        if not self.streamed:
            return
        empty = not self.found
        async for line in _stdin_lines():
            for named in _files(line, self.notes) if line != STDIN else ():
                empty = False
                if (image := self.add(named)) is not None:
                    yield image
        if empty:
            raise DataError(f"{STDIN}: no image found; expected a path on each line of stdin")


def named_images(arguments: Sequence[str]) -> NamedImages:
    """Returns what the arguments name; a file that does not exist stays, and so does the reason for an empty folder.

    Raises:
        DataError: No argument names an image.
    """
    named = NamedImages(arguments)
    for one in arguments:
        named.found += [
            image for path in (_files(one, named.notes) if one != STDIN else ()) if (image := named.add(path))
        ]
    problems = [one for one in named.found if not isinstance(one, str)]
    if not named.streamed and problems and len(problems) == len(named.found):
        raise DataError("; ".join(f"{one.source}: {one.problem}" for one in problems))
    return named


def all_images(arguments: Sequence[str]) -> "tuple[list[str], list[Unread], list[str]]":
    """Returns all paths that the arguments name, once stdin has ended, what is wrong with the others, and notes."""
    named = named_images(arguments)

    async def every() -> "list[str | Unread]":
        return [one async for one in named.stream()]

    found = asyncio.run(every()) if named.streamed else named.found
    paths = [one for one in found if isinstance(one, str)]
    return paths, [one for one in found if not isinstance(one, str)], [*named.notes, *named.path_notes()]


def chat_images(arguments: Sequence[str]) -> list[Path]:
    """Returns the files to add to a chat. Raises ``DataError`` for ``-``, an empty folder, and one that is closed."""
    if STDIN in arguments:
        raise DataError("- means paths on stdin, from which a chat takes what you say: name files, folders or patterns")
    paths, problems, _ = all_images(arguments)
    if problems:
        raise DataError("; ".join(f"{one.source}: {one.problem}" for one in problems))
    return [Path(one) for one in paths]


def _files(named: str, notes: list[str]) -> "Iterator[str | Unread]":
    path = _meant(named)
    if _is_folder(path):
        yield from _found(named, _in_folder(path, notes), "images in the folder or in its sub-folders")
    elif has_magic(named) and "://" not in named and not _exists(path):
        matched = (one for match in _matches(str(path)) for one in _matched(match, notes))
        yield from _found(named, matched, "files that match the pattern")
    elif _is_table(path):
        yield from _listed(path, notes)
    else:
        yield named


def _meant(named: str) -> Path:
    try:
        return locate(named).path
    except FileMissing:
        return Path(named).expanduser() if named.startswith("~/") else Path(named)


def _matches(pattern: str) -> list[str]:
    """What a pattern matches; backslashes are taken for / where they match nothing."""
    found = glob(pattern, recursive=True) or glob(pattern.replace("\\", "/"), recursive=True)  # noqa: PTH207
    return sorted(found)


def _matched(path: str, notes: list[str]) -> "Iterator[str | Unread]":
    return _in_folder(Path(path), notes) if _is_folder(Path(path)) else iter([path])


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name too long for a file may be a pattern
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _is_table(path: Path) -> bool:
    from doubleread.evals.datasets.manifest_dataset import is_table

    return is_table(path) and _exists(path)


def _listed(file: Path, notes: list[str]) -> "Iterator[str | Unread]":
    from doubleread.evals.datasets.manifest_dataset import listed_images

    try:
        paths, read = listed_images(file)
    except DataError as error:
        plain = f"; if it has one path on each line: diagnose - < {file}" if file.suffix.lower() == ".txt" else ""
        yield _unread(str(file), f"{error}{plain}")
        return
    notes += [f"{file}: {one}" for one in read]
    yield from _found(str(file), iter(paths), "a column of paths")


def _in_folder(folder: Path, notes: list[str]) -> "Iterator[str | Unread]":
    from doubleread.evals.datasets.folder_walk import walk

    try:
        found = walk(folder)
    except OSError as error:
        yield _unread(str(folder), f"the folder cannot be read: {error.strerror}")
        return
    if reasons := Counter(one.reason for one in found.ignored):
        notes.append(f"{folder}: not used: " + ", ".join(f"{n:,} {reason}" for reason, n in reasons.items()))
    yield from (str(folder / path) for path in found.images)
    for one in found.problems:
        yield _unread(str(folder / one.where), one.problem)


def _found(named: str, paths: "Iterator[str | Unread]", wanted: str) -> "Iterator[str | Unread]":
    first = next(paths, None)
    if first is None:
        yield _unread(named, f"no image found; expected {wanted}", "missing")
        return
    yield first
    yield from paths


def _unread(source: str, problem: str, code: str = "unreadable") -> "Unread":
    from doubleread.core.verdict import Unread

    return Unread(source=source, code=code, problem=problem)


# -- stdin ------------------------------------------------------------------------------------------------------------


async def _stdin_lines() -> AsyncIterator[str]:
    """Yields the lines of stdin as they come in. A thread waits for them, which ends with the process."""
    loop = asyncio.get_running_loop()
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    room = threading.Semaphore(_WAITING)

    def read() -> None:
        for line in chain(_input_lines(), [None]):
            room.acquire()
            try:
                loop.call_soon_threadsafe(lines.put_nowait, line)
            except RuntimeError:  # the loop was closed: nobody waits any longer
                return

    threading.Thread(target=read, name="stdin", daemon=True).start()
    while (line := await lines.get()) is not None:
        room.release()
        yield line


def _input_lines() -> Iterator[str]:
    """The paths on stdin: one a line, or ended by a zero byte as ``find -print0`` writes them."""
    rest, end = b"", b""
    for chunk in _chunks():
        rest += chunk
        end = end or (b"\0" if b"\0" in rest else b"\n" if b"\n" in rest else b"")
        if end:
            *whole, rest = rest.split(end)
            yield from filter(None, map(_path, whole))
    yield from filter(None, [_path(rest)])


def _chunks() -> Iterator[bytes]:
    """What comes in, unbuffered: a buffer that a waiting thread holds would keep the process from ending."""
    try:
        handle = sys.stdin.fileno()
    except (io.UnsupportedOperation, AttributeError):  # not a file, or closed
        yield from (line.encode("utf-8", "surrogateescape") for line in sys.stdin or ())
        return
    while chunk := os.read(handle, _CHUNK):
        yield chunk


def _path(line: bytes) -> str:
    text = os.fsdecode(line.removeprefix(b"\xef\xbb\xbf")).strip("\r\n")
    return text if text.strip() else ""
