"""One process writes a store, or several read it: a file lock that names its holder."""

import json
import os
import socket
from io import TextIOWrapper
from pathlib import Path

import portalocker

from doubleread.core.errors import StoreBusy, StoreError
from doubleread.core.one_process import OneProcess

LOCK_NAME = "doubleread.lock"


class FolderLock:
    """Held from construction to ``release``. Raises ``StoreBusy`` with the holder's process and host.

    The operating system frees it when the process ends, however it ends. The file itself stays: removing it would let
    two processes hold locks on two files of one name.
    """

    def __init__(self, folder: Path, *, shared: bool) -> None:
        self._path, self._home = folder / LOCK_NAME, OneProcess()
        try:
            self._file: TextIOWrapper | None = self._path.open("a+", encoding="utf-8")
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
        self._sign()

    def release(self) -> None:
        """Frees the lock; a second call does nothing."""
        if self._file is not None:
            if self._home.here:  # a forked child would free it for its parent
                portalocker.unlock(self._file)
            self._file.close()
            self._file = None

    def _sign(self) -> None:
        assert self._file is not None
        self._file.truncate(0)
        self._file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        self._file.flush()

    def _holder(self) -> str:
        try:
            holder = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return "another process"
        if not isinstance(holder, dict):
            return "another process"
        mine = holder.get("pid") == os.getpid() and holder.get("host") == socket.gethostname()
        where = f"process {holder.get('pid')} on {holder.get('host')}"
        return f"this process ({where})" if mine else where
