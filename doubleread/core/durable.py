"""Writing files so that what was acknowledged is stored: whole, on disk, or with an error that says what is kept.

A function returns once its data are synced. Where the disk refuses it raises ``FileError``, whose message names the
file; the file is then as it was before.
"""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import portalocker

from doubleread.core.errors import FileError


class AppendFile:
    """A file that is only ever added to, by several threads and processes if need be.

    A line that a crash left half-written at its end is cut off before something is added.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with told(path, "nothing was added to it"):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            self._file = os.fdopen(handle, "r+b", buffering=0)

    def append(self, lines: bytes) -> None:
        """Adds whole lines, all or none of them; they are on disk when this returns."""
        with told(self.path, "what it held before is kept, and nothing was added"), _locked(self):
            end = self._whole()
            try:
                self._file.seek(end)
                write_all(self._file.fileno(), lines)
                os.fsync(self._file.fileno())
            except BaseException:
                with suppress(OSError):
                    self._file.truncate(end)
                raise

    def close(self) -> None:
        """Lets go of the file; a second call does nothing."""
        self._file.close()

    def fileno(self) -> int:
        return self._file.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _whole(self) -> int:
        """The end of the last whole line; what is behind it is cut off."""
        end = self._file.seek(0, os.SEEK_END)
        whole = end
        while whole:
            start = max(0, whole - 4096)
            self._file.seek(start)
            found = self._file.read(whole - start).rfind(b"\n")
            if found >= 0:
                whole = start + found + 1
                break
            whole = start
        if whole < end:
            self._file.truncate(whole)
        return whole


def append_lines(path: Path, lines: bytes) -> None:
    """Adds whole lines to a file, all or none of them."""
    with AppendFile(path) as file:
        file.append(lines)


def write_file(path: Path, data: bytes) -> None:
    """Replaces a file: at every instant the old contents or the new ones are under its name."""
    part = path.with_name(f".{path.name}.part-{os.getpid()}-{threading.get_ident()}")
    with told(path, "it is as it was before" if path.exists() else "nothing was written"):
        try:
            with part.open("wb", buffering=0) as file:
                write_all(file.fileno(), data)
                os.fsync(file.fileno())
            part.replace(path)
            sync_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)


def write_all(handle: int, data: bytes) -> None:
    """Writes every byte: ``write`` may write fewer than it was given. Raises ``OSError``."""
    left = memoryview(data)
    while left:
        written = os.write(handle, left)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[written:]


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the system can."""
    with suppress(OSError):  # not on Windows, nor on every network disk
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sync_tree(folder: Path) -> None:
    """Makes all files below a folder durable. Raises ``OSError``."""
    for home, _, names in os.walk(folder):
        for name in names:
            handle = os.open(Path(home) / name, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        sync_folder(Path(home))


@contextmanager
def told(path: Path, kept: str) -> Iterator[None]:
    """Errors of the disk as ``FileError``, with the file, what is kept of it, and what to do."""
    try:
        yield
    except (OSError, portalocker.LockException) as error:
        raise FileError(f"{path} cannot be written: {reason(error)}; {kept}; {remedy(error)}") from None


def reason(error: Exception) -> str:
    """What the system says, without the number and the path."""
    return str(getattr(error, "strerror", None) or error)


def remedy(error: Exception) -> str:
    """What to do about it."""
    match getattr(error, "errno", None):
        case errno.ENOSPC | errno.EDQUOT:
            return "free some space and try again"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "check the permissions of the folder, or choose another one"
        case _:
            return "check the disk and try again"


@contextmanager
def _locked(file: AppendFile) -> Iterator[None]:
    portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE)
    try:
        yield
    finally:
        portalocker.unlock(file)
