"""Writing files so that what was acknowledged is stored: whole, on disk, or with an error that says what is kept.

A function returns once its data are synced. Where the disk refuses it raises ``FileError``, whose message names the
file; the file is then as it was before.
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
    """A file that is only ever added to, by several threads and processes if need be.

    A line that a crash left half-written at its end is cut off before something is added.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with told(path, "nothing was added to it"):
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
            self._file = os.fdopen(handle, "r+b", buffering=0)
        if not stat.S_ISREG(os.fstat(handle).st_mode):  # a device may swallow what is written
            self._file.close()
            raise FileError(f"{path} is not a regular file: choose another name")

    def append(self, lines: bytes, *, head: bytes = b"") -> None:
        """Adds whole lines, all or none of them; they are on disk when this returns. An empty file gets ``head``."""
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
        """Lets go of the file; a second call does nothing."""
        self._file.close()

    def fileno(self) -> int:
        return self._file.fileno()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
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
    with replacing(path) as part, part.open("wb", buffering=0) as file:
        write_all(file.fileno(), data)


def write_text(path: Path, text: str) -> None:
    """The same of text, as UTF-8; half surrogate pairs, as file names may hold, are escaped."""
    write_file(path, text.encode("utf-8", "backslashreplace"))


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write a file to; at the end of the block the file is synced and takes the place of ``path``.

    Where the block raises, ``path`` is as it was. What killed processes left of earlier attempts is removed.
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
    """Removes what killed processes left of attempts to replace a file."""
    beginning = f".{path.name}.part-"
    with suppress(OSError):
        for left in path.parent.iterdir():
            if left.name.startswith(beginning) and _ended(left.name.removeprefix(beginning)):
                left.unlink(missing_ok=True)


def _ended(writer: str) -> bool:
    """Whether the process that a part is named after is gone; where the system cannot tell, it may be there."""
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


def is_full(error: Exception) -> bool:
    """Whether the disk has no room left, or its user may have no more."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)


def remedy(error: Exception) -> str:
    """What to do about it."""
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
