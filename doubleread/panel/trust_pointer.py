"""``trust.json``: the version of a panel's trust in use, and the digest of every version's manifest.

It is the only file of a panel that changes, and it is replaced atomically. It contains a digest of itself, so that a
damaged byte never selects another version. Writers of a panel's folder hold its lock (``locked``).
"""

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import portalocker

from doubleread.core.base import Record
from doubleread.core.durable import reason, remedy, write_file
from doubleread.core.errors import FileError, PanelError
from doubleread.core.safe_files import inside, read_json
from doubleread.panel.panel_manifest import Sha256, damaged

POINTER = "trust.json"
LOCK = ".lock"
FITTED = 1
"""The fitted version, whose manifest is the panel's."""
_LIMIT = 1_000_000


class Pointer(Record):
    """The contents of ``trust.json``."""

    version: int
    manifests: dict[int, Sha256]
    sha256: Sha256

    @classmethod
    def to(cls, version: int, manifests: dict[int, str]) -> Self:
        """Returns a pointer to one of these versions."""
        return cls(version=version, manifests=manifests, sha256=_digest(version, manifests))

    @property
    def versions(self) -> tuple[int, ...]:
        """All versions."""
        return tuple(sorted(self.manifests))

    def write(self, folder: Path) -> None:
        """Replaces the file; it is on disk when it returns. Raises ``FileError``."""
        write_file(folder / POINTER, json.dumps(self.model_dump(mode="json"), indent=1).encode())


def read_pointer(folder: Path) -> Pointer:
    """Reads the pointer. Raises ``PanelError`` if the file is missing or damaged."""
    path = folder / POINTER
    with damaged(path):
        found = Pointer.model_validate(read_json(inside(folder, POINTER), limit=_LIMIT))
        whole = found.sha256 == _digest(found.version, found.manifests)
        if not whole or found.version not in found.manifests or FITTED not in found.manifests:
            raise FileError(f"{path} has changed since it was written, or is damaged")
    return found


def pinned(folder: Path, pointer: Pointer, version: int) -> str:
    """Returns the digest of a version's manifest. Raises ``PanelError`` if the version does not exist."""
    if version not in pointer.manifests:
        known = ", ".join(map(str, pointer.versions))
        raise PanelError(f"{folder} has no version {version} of its trust; there are: {known}")
    return pointer.manifests[version]


def _digest(version: int, manifests: dict[int, str]) -> str:
    return hashlib.sha256(json.dumps([version, sorted(manifests.items())]).encode()).hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Waits for the lock that excludes other writers of the panel, and holds it.

    Partial files of killed processes are removed. Raises ``PanelError`` if the folder cannot be written, or if it holds
    another panel once the lock is free.
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
