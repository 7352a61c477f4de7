"""An archive's SQLite file: opened with care, written in transactions, its errors told in our words."""

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from doubleread.core.errors import StoreError
from doubleread.core.one_process import OneProcess
from doubleread.core.sqlite import connect
from doubleread.core.stored import Version
from doubleread.rag.stores.chain import START

FILE = "archive.sqlite3"
SCHEMA = 2
_AT_ONCE = 500
_TABLES = """
pragma synchronous=full;
create table if not exists about (key text primary key, value text not null);
create table if not exists changes (
    seq integer primary key, time text not null, what text not null, id text not null, reviewer text not null,
    note text not null, record text, digest text not null);
create index if not exists changes_of on changes (id);
create table if not exists cases (
    id text primary key, label text not null, grp text, split text, source text not null, path text,
    tags text not null, added real not null, removed integer not null, seq integer not null, hash text not null);
create index if not exists cases_changed on cases (seq);
create table if not exists encoders (number integer primary key, fingerprint text unique not null, dim integer not null,
    name text not null);
create table if not exists embeddings (
    stamp integer primary key autoincrement, encoder integer not null, id text not null, row blob not null);
create unique index if not exists embedding_of on embeddings (encoder, id);
create table if not exists snapshots (name text primary key, seq integer not null, digest text not null,
    time text not null, note text not null);
"""


class LedgerFile:
    """Opens or, with ``create``, begins the file in ``folder``.

    Raises ``StoreError`` for a folder that holds something else, a damaged file, and whatever the disk refuses.
    """

    def __init__(self, folder: Path, *, create: bool) -> None:
        self.folder = folder.resolve()
        self.guard = threading.RLock()
        self.home = OneProcess(f"the archive {self.folder}", StoreError)
        with self.mapped("open"):
            self.db = self._open(create)
        try:
            with self.mapped("open"):
                self._check()
        except BaseException:
            self.db.close()
            raise

    def about(self, key: str) -> str | None:
        """What was told under a key."""
        found = self.ask("select value from about where key = ?", [key])
        return str(found[0][0]) if found else None

    def tell(self, key: str, value: str) -> None:
        """Keeps something about the archive itself."""
        with self.writing() as db:
            db.execute("insert or replace into about values (?,?)", (key, value))

    def moved(self) -> int:
        """Another number whenever this process or another has written."""
        return int(self.ask("pragma data_version")[0][0]) + self.db.total_changes

    def version(self) -> Version:
        """The state as it is now."""
        with self.mapped("read"), self.guard:
            return self.head(self.db)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction: committed at the end, rolled back where anything fails."""
        with self.mapped("write"), self.guard:
            self.db.execute("begin immediate")
            try:
                yield self.db
                self.db.execute("commit")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("rollback")
                raise

    def ask(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.mapped("read"), self.guard:
            return self.db.execute(query, tuple(values)).fetchall()

    @contextmanager
    def mapped(self, verb: str) -> Iterator[None]:
        """SQLite's errors as ours."""
        self.home.check()
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"the archive {self.folder} failed to {verb}: {error}; {_remedy(error)}") from None

    def shrink(self) -> None:
        """Frees the space of what was deleted, and overwrites it; what others still read, once they have read it."""
        with self.mapped("shrink"), self.guard:
            self.db.execute("vacuum")
            self.db.execute("pragma wal_checkpoint(truncate)").fetchall()

    @staticmethod
    def head(db: sqlite3.Connection) -> Version:
        """The last change, as seen from inside a transaction."""
        found = db.execute("select seq, digest from changes order by seq desc limit 1").fetchone()
        return Version(seq=found[0], digest=found[1]) if found else Version(seq=0, digest=START)

    def close(self) -> None:
        """Lets go of the file; a second call does nothing."""
        with self.guard:
            self.db.close()

    def _open(self, create: bool) -> sqlite3.Connection:
        path = self.folder / FILE
        new = check_folder(self.folder)
        if new and not create:
            raise StoreError(f"there is no archive in {self.folder}: make one with `doubleread cases add`")
        if new:
            self.folder.mkdir(parents=True, exist_ok=True)
        if not new and not os.access(self.folder, os.W_OK):
            uri = f"file:{quote(os.fspath(path))}?mode=ro&immutable=1"
            return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        db = connect(path, _TABLES)
        for key, value in (("schema", str(SCHEMA)), ("id", uuid4().hex), ("created", time.strftime("%F %T"))):
            db.execute("insert or ignore into about values (?,?)", (key, value))
        return db

    def _check(self) -> None:
        schema = self.about("schema")
        if schema != str(SCHEMA):
            raise StoreError(
                f"the archive {self.folder} has schema {schema}; this doubleread reads {SCHEMA}: use the doubleread "
                "that wrote it, export there and import here"
            )


def check_folder(folder: Path) -> bool:
    """True where an archive may be begun, False where one is; touches nothing.

    Raises ``StoreError`` for a file, a folder of something else, and an archive whose file is lost or damaged.
    """
    if not folder.exists():
        return True
    if not folder.is_dir():
        raise StoreError(f"{folder} is a file; an archive is a folder: name another place")
    path = folder / FILE
    if path.is_file():
        with path.open("rb") as file:
            begin = file.read(16)
        if begin != b"SQLite format 3\0":
            what = "empty" if not begin else f"no SQLite database (it begins with {begin[:8]!r})"
            raise StoreError(f"{path} is {what}: restore it from a backup")
        return False
    others = sorted(entry.name for entry in folder.iterdir())
    if others:
        raise StoreError(
            f"{folder} holds {', '.join(others[:4])} but no {FILE}: it is no archive, or its file was lost. "
            "Name an empty folder, or restore the file from a backup"
        )
    return True


def parts(ids: Sequence[str]) -> list[Sequence[str]]:
    """As many ids as one statement may name."""
    return [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]


def _remedy(error: Exception) -> str:
    text = str(error)
    if "full" in text or "No space" in text:
        return "nothing of this step was stored, and all before it is: free some space and go on"
    if "locked" in text or "busy" in text:
        return "another process is writing: wait for it and try again"
    if "malformed" in text or "not a database" in text or "disk image" in text:
        return "the file is damaged: restore it from a backup"
    if "readonly" in text or "read-only" in text:
        return "it cannot be written here: check the permissions of the folder"
    return "check the disk's space and permissions"
