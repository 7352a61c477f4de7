"""The storage of sessions: a folder, or a Postgres database shared by several machines.

A database holds everything that machines must agree on, including pictures: one address, one backup, and deletions
apply everywhere. The folder then holds only copies of the pictures that this machine has used.
"""

import os
import re
import secrets
import shutil
import stat
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import portalocker

from doubleread.core.errors import SessionError
from doubleread.sessions._log import Log
from doubleread.sessions._picture_store import DatabasePictures, FolderPictures
from doubleread.sessions._readings import ReadingStore
from doubleread.sessions._sqlite_database import SqliteDatabase
from doubleread.sessions.login_store import LoginTable

_NAME = re.compile(r"[0-9a-f]{16}")


class Owns(Protocol):
    """The identity of this process among those that run readings."""

    @property
    def name(self) -> str:
        """A name that is never reused."""

    def gone(self, other: str) -> bool:
        """Whether another process has ended."""


class Owner:
    """This process as the owner of the readings it started; after it has ended, the next process continues them.

    A lock on a file of that name shows that it is alive; the operating system releases it however the process ends.
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
        if not _NAME.fullmatch(other) or self._path(other).is_symlink():  # a foreign database may hold any name
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
        """Releases the lock, so that others can take over."""
        self._file.close()
        self._path(self.name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.lock"


@dataclass(frozen=True)
class Stored:
    """The space that sessions use."""

    bytes: Mapping[str, int]
    """Bytes of the pictures, by session."""
    free: int
    """Free bytes on the disk."""


@dataclass(frozen=True)
class Storage:
    """The opened stores, and the owner of readings started here."""

    log: Log
    pictures: FolderPictures
    owner: Owns
    readings: ReadingStore
    logins: LoginTable
    folder: Path

    def stored(self) -> Stored:
        """Returns the space used now."""
        return Stored(self.pictures.sizes(), shutil.disk_usage(self.folder).free)


@asynccontextmanager
async def open_storage(folder: Path, database: str) -> AsyncIterator[Storage]:
    """Opens the storage in the folder, or in the database if its address is given.

    Raises ``SessionError``; ``OSError`` and ``sqlite3.Error`` if the folder cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _check(folder)
    opened = _in_database(folder, database) if database else _in_folder(folder)
    async with opened as storage:
        yield storage


def _check(folder: Path) -> None:
    """Raises ``SessionError`` if a path that sessions need is of the wrong type."""
    files = [f"{name}{more}" for name in ("sessions.sqlite", "readings.sqlite") for more in ("", "-wal", "-shm")]
    for name, kind in [*((name, stat.S_IFREG) for name in files), ("pictures", stat.S_IFDIR), ("owners", stat.S_IFDIR)]:
        path = folder / name
        if os.path.lexists(path) and stat.S_IFMT(path.lstat().st_mode) != kind:
            what = "a folder" if kind == stat.S_IFDIR else "a regular file"
            raise SessionError(f"{path} is not {what}: this is no folder of sessions that can be opened; name another")


@asynccontextmanager
async def _in_folder(folder: Path) -> AsyncIterator[Storage]:
    with closing(SqliteDatabase(folder / "sessions.sqlite")) as database, closing(Owner(folder / "owners")) as owner:
        async with ReadingStore.open(folder / "readings.sqlite") as readings:
            pictures = FolderPictures(folder / "pictures")
            yield Storage(Log(database), pictures, owner, readings, LoginTable(database), folder)


@asynccontextmanager
async def _in_database(folder: Path, address: str) -> AsyncIterator[Storage]:
    try:
        from doubleread.sessions._postgres_database import PostgresDatabase  # noqa: PLC0415 - an optional extra
    except ImportError:
        raise SessionError(
            "sessions in Postgres need psycopg and langgraph-checkpoint-postgres, which are not installed: "
            "pip install langgraph-checkpoint-postgres 'psycopg[binary]'"
        ) from None
    with closing(PostgresDatabase(address)) as database:
        async with ReadingStore.open_database(address) as readings:
            pictures = DatabasePictures(database, folder / "pictures")
            pictures.sweep()
            yield Storage(Log(database), pictures, database, readings, LoginTable(database), folder)
