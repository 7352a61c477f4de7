"""Where sessions are kept: in a folder, or in a Postgres that several machines share.

In a database is everything that two machines must agree on, pictures too: one address to reach, one thing to back up,
and what is deleted is gone for all. The folder then holds only copies of the pictures that this machine has used.
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
    """This process among those that carry readings on."""

    @property
    def name(self) -> str:
        """Never given twice."""

    def gone(self, other: str) -> bool:
        """Whether another one has ended."""


class Owner:
    """This process as the owner of the readings that it began; once it has ended, the next one carries them on.

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


@dataclass(frozen=True)
class Stored:
    """What the sessions take up."""

    bytes: Mapping[str, int]
    """Of the pictures, by session."""
    free: int
    """Bytes that the disk has left."""


@dataclass(frozen=True)
class Storage:
    """What is kept, and who carries on what was begun here."""

    log: Log
    pictures: FolderPictures
    owner: Owns
    readings: ReadingStore
    logins: LoginTable
    folder: Path

    def stored(self) -> Stored:
        """What is taken up now."""
        return Stored(self.pictures.sizes(), shutil.disk_usage(self.folder).free)


@asynccontextmanager
async def open_storage(folder: Path, database: str) -> AsyncIterator[Storage]:
    """The storage in a folder, or in the database where its address is given.

    Raises ``SessionError``; ``OSError`` and ``sqlite3.Error`` where the folder cannot be used.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _check(folder)
    opened = _in_database(folder, database) if database else _in_folder(folder)
    async with opened as storage:
        yield storage


def _check(folder: Path) -> None:
    """Raises ``SessionError`` where something else lies in the place of a file or folder of sessions."""
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
            'pip install "doubleread[postgres]"'
        ) from None
    with closing(PostgresDatabase(address)) as database:
        async with ReadingStore.open_database(address) as readings:
            pictures = DatabasePictures(database, folder / "pictures")
            pictures.sweep()
            yield Storage(Log(database), pictures, database, readings, LoginTable(database), folder)
