"""The tables of sessions in a SQLite file."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from doubleread.core.errors import SessionError, SessionsAway, SessionsFull
from doubleread.core.sqlite import connect

VERSION = 1
_SCHEMA = """
pragma secure_delete=on;
pragma synchronous=full;
create table if not exists sessions(
    id text primary key, title text not null, created text not null, changed text not null);
create table if not exists belongs(panel text not null);
create table if not exists events(
    session text not null, seq integer not null, time text not null, kind text not null, about text, reading text,
    key text, data text not null, primary key(session, seq)) without rowid;
create unique index if not exists told on events(session, key) where key is not null;
create table if not exists readings(
    id text primary key, session text not null, about text not null, how text not null, owner text not null,
    progress text not null);
create index if not exists readings_of on readings(session, about);
create table if not exists people(session text primary key, person text not null);
create table if not exists logins(id text primary key, began text not null, used text not null);
"""


class SqliteDatabase:
    """Writes are on disk when a block of ``writing`` ends.

    Raises ``sqlite3.Error`` if the file cannot be opened, ``SessionError`` if it is damaged or of a newer version,
    ``SessionsAway`` while another process locks it, and ``SessionsFull`` if the disk is full.
    """

    def __init__(self, file: Path) -> None:
        self._file, self._db = file, connect(file, _SCHEMA)
        self._guard = threading.Lock()
        (version,) = self._db.execute("pragma user_version").fetchone()
        if version > VERSION:
            self._db.close()
            raise SessionError(newer(str(file), version, VERSION))
        self._db.execute(f"pragma user_version = {VERSION}")

    @property
    def version(self) -> object:
        with self.reading() as db:
            return db.execute("pragma data_version").fetchone()[0]

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        with self._guard, self._telling():
            yield self._db

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        with self._guard, self._telling():
            self._db.execute("begin immediate")
            try:
                yield self._db
                self._db.commit()
            except BaseException:
                self._db.rollback()
                raise

    def close(self) -> None:
        with self._guard:
            self._db.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
                raise SessionsAway(f"{self._file} is held by another process; nothing is lost: try again") from None
            if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}:
                raise SessionsFull(
                    f"{self._file} cannot be written ({error}): what was stored before is kept, this was not stored; "
                    "free some space, or check the disk, and try again"
                ) from None
            raise SessionError(
                f"{self._file} cannot be read ({error}): restore the folder from a copy, or name another for sessions"
            ) from None


def newer(where: str, version: int, known: int) -> str:
    """Returns the message for tables of a newer doubleread."""
    return (
        f"the sessions in {where} are of format {version}, this doubleread knows up to {known}: upgrade doubleread, "
        "or name another place for sessions"
    )
