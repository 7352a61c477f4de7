"""A panel's changing files are written by one process at a time."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import portalocker

from doubleread.core.durable import reason, remedy
from doubleread.core.errors import FileError, PanelError
from doubleread.core.safe_files import inside

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Waits until no other process writes into the panel, and keeps others waiting.

    What a process that was killed left of a file that it was replacing is removed. Raises ``PanelError`` where the
    folder cannot be written, or holds another panel by the time it is free.
    """
    try:
        path = inside(folder, LOCK)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0), 0o644)
    except FileError as error:
        raise PanelError(f"{error}: remove it") from None
    except OSError as error:
        raise PanelError(f"{folder / LOCK} cannot be written: {reason(error)}; {remedy(error)}") from None
    with os.fdopen(handle, "r+b", buffering=0) as file:
        mine = os.fstat(handle)
        if not stat.S_ISREG(mine.st_mode):
            raise PanelError(f"{path} is not a regular file: remove it")
        try:
            portalocker.lock(file, portalocker.LockFlags.EXCLUSIVE)
        except (OSError, portalocker.LockException) as error:
            raise PanelError(f"{path} cannot be locked: {reason(error)}; {remedy(error)}") from None
        if not path.exists() or not os.path.samestat(mine, path.stat()):
            raise PanelError(f"{folder} has just been replaced by another panel: load it again")
        for left in folder.glob(".*.part-*"):
            left.unlink(missing_ok=True)
        yield
