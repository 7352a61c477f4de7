"""A file lock on a store, for one writer or several readers, that names its holder."""

import errno
import json
import os
import socket
import stat
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path

import portalocker

from doubleread.core.durable import write_all
from doubleread.core.errors import FileError, StoreBusy, StoreError
from doubleread.core.process import OneProcess
from doubleread.core.safe_files import read_json

LOCK_NAME = "doubleread.lock"
_HOLDER_BYTES = 10_000


class FolderLock:
    """Held from construction to ``release``. Raises ``StoreBusy`` with the holder's process and host.

    The operating system releases it when the process ends. The file itself stays: if it were removed, two processes
    could lock two files of the same name.
    """

    def __init__(self, folder: Path, *, shared: bool) -> None:
        self._path, self._home = folder / LOCK_NAME, OneProcess()
        try:
            self._file: TextIOWrapper | None = _opened(self._path)
        except OSError as error:
            raise StoreError(f"{self._path} cannot be written ({error.strerror}): check its permissions") from None
        kind = portalocker.LockFlags.SHARED if shared else portalocker.LockFlags.EXCLUSIVE
        try:
            portalocker.lock(self._file, kind | portalocker.LockFlags.NON_BLOCKING)
        except portalocker.LockException:
            holder = self._holder()
            self._file.close()
            raise StoreBusy(
                f"the case store {folder} is in use by {holder}: close it there, or open it read-only on both sides"
            ) from None
        with suppress(OSError):  # a full disk: the holder's name is not recorded
            self._sign()

    def release(self) -> None:
        """Releases the lock; may be called twice."""
        if self._file is not None:
            if self._home.here:  # a forked child would release its parent's lock
                portalocker.unlock(self._file)
            self._file.close()
            self._file = None

    def _sign(self) -> None:
        assert self._file is not None
        os.truncate(self._file.fileno(), 0)
        write_all(self._file.fileno(), json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode())

    def _holder(self) -> str:
        try:
            holder = read_json(self._path, limit=_HOLDER_BYTES)
        except FileError:
            return "another process"
        mine = holder.get("pid") == os.getpid() and holder.get("host") == socket.gethostname()
        where = f"process {holder.get('pid')} on {holder.get('host')}"
        return f"this process ({where})" if mine else where


def _opened(path: Path) -> TextIOWrapper:
    """Opens a regular file, never through a link, since its contents are replaced."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags, 0o644)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "it is not a regular file")
    return os.fdopen(handle, "a+", encoding="utf-8")
