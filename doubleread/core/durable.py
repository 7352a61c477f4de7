"""Durable writing of files: a function returns once its data are on disk.

If the disk fails, it raises ``FileError``, whose message names the file, and the file stays as it was.
"""

import errno
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import portalocker

from doubleread.core.errors import FileError


class AppendFile:
    """A file that is only appended to, also by several threads and processes.

    A partial last line, left by a crash, is cut off before the next append.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with told(path, "nothing was added to it"):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            self._file = os.fdopen(handle, "r+b", buffering=0)
        if not stat.S_ISREG(os.fstat(handle).st_mode):  # a device may discard what is written
            self._file.close()
            raise FileError(f"{path} is not a regular file: choose another name")

    def append(self, lines: bytes, *, head: bytes = b"") -> None:
        """Appends whole lines, all or none; they are on disk when it returns. An empty file gets ``head`` first."""
        with told(self.path, "what it held before is kept, and nothing was added"), _locked(self):
            end = self._whole()
            try:
                self._file.seek(end)
                write_all(self._file.fileno(), lines if end else head + lines)
                os.fsync(self._file.fileno())
            except BaseException:
                with suppress(OSError):
                    self._file.truncate(end)
                raise

    def close(self) -> None:
        """Closes the file; may be called twice."""
        self._file.close()

    def fileno(self) -> int:
        return self._file.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _whole(self) -> int:
        """Returns the end of the last complete line and cuts off what follows."""
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
    """Appends whole lines to a file, all or none."""
    with AppendFile(path) as file:
        file.append(lines)


def write_file(path: Path, data: bytes) -> None:
    """Replaces a file atomically: its name always refers to the old or the new contents."""
    with replacing(path) as part, part.open("wb", buffering=0) as file:
        write_all(file.fileno(), data)


def write_text(path: Path, text: str) -> None:
    """Like ``write_file`` for text, as UTF-8; surrogates, which file names may contain, are escaped."""
    write_file(path, text.encode("utf-8", "backslashreplace"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path to write to; at the end of the block the file is synced and replaces ``path``.

    If the block raises, ``path`` stays as it was. Files left by killed processes are removed.
    """
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise FileError(f"{path} is not a regular file: choose another name")
    part = path.with_name(f".{path.name}.part-{os.getpid()}-{threading.get_ident()}")
    with told(path, "it is as it was before" if path.exists() else "nothing was written"):
        clear_parts(path)
        try:
            yield part
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(path)
            sync_folder(path.parent)
        finally:
            part.unlink(missing_ok=True)


def clear_parts(path: Path) -> None:
    """Removes partial files that killed processes left while replacing a file."""
    beginning = f".{path.name}.part-"
    with suppress(OSError):
        for left in path.parent.iterdir():
            if left.name.startswith(beginning) and _ended(left.name.removeprefix(beginning)):
                left.unlink(missing_ok=True)


def _ended(writer: str) -> bool:
    """Whether the process that a partial file is named after has ended; False if unknown."""
    number = writer.partition("-")[0]
    if os.name == "nt" or not (number.isascii() and number.isdecimal()):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def write_all(handle: int, data: bytes) -> None:
    """Writes every byte, repeating ``write`` if necessary. Raises ``OSError``."""
    left = memoryview(data)
    while left:
        written = os.write(handle, left)
        if not written:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = left[written:]


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, if the system supports it."""
    with suppress(OSError):  # unsupported on Windows and some network disks
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
    """Converts disk errors to ``FileError`` with the file, what is kept of it, and what to do."""
    try:
        yield
    except (OSError, portalocker.LockException) as error:
        raise FileError(f"{path} cannot be written: {reason(error)}; {kept}; {remedy(error)}") from None


def reason(error: Exception) -> str:
    """Returns the system's message without the number and the path."""
    return str(getattr(error, "strerror", None) or error)


def is_full(error: Exception) -> bool:
    """Whether the disk is full or the user's quota is used up."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)


def remedy(error: Exception) -> str:
    """Returns what to do about an error."""
    if is_full(error):
        return "free some space and try again"
    match getattr(error, "errno", None):
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "check the permissions of the folder, or choose another one"
        case errno.ENOENT:
            return "make its folder first, or choose another one"
        case _:
            return "check the disk and try again"


@contextmanager
def _locked(file: AppendFile) -> Iterator[None]:
    portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE)
    try:
        yield
    finally:
        portalocker.unlock(file)
