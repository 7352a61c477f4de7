"""Who carries a reading on: the process that began it, and once that has ended, the next one that starts."""

import re
import secrets
from pathlib import Path

import portalocker

_NAME = re.compile(r"[0-9a-f]{16}")


class Owner:
    """This process as an owner of readings; ``name`` is never given twice.

    A lock on a file of that name tells others that it lives; the operating system frees it however the process ends.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self.name = folder, secrets.token_hex(8)
        self._file = self._path(self.name).open("w")
        portalocker.lock(self._file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)

    def gone(self, other: str) -> bool:
        """Whether an owner has ended."""
        if other == self.name:
            return False
        if not _NAME.fullmatch(other) or self._path(other).is_symlink():  # a database from elsewhere may hold any name
            return True
        try:
            file = self._path(other).open("r+")
        except OSError:
            return True
        with file:
            try:
                portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
            except portalocker.LockException:
                return False
        self._path(other).unlink(missing_ok=True)
        return True

    def close(self) -> None:
        """Others may take over what is left."""
        self._file.close()
        self._path(self.name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"
