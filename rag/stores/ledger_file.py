"""An archive's SQLite file: safe opening, transactions, and errors converted to ``StoreError``."""

import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from doubleread.core.durable import reason
from doubleread.core.errors import StoreError
from doubleread.core.process import OneProcess
from doubleread.core.sqlite import connect
from doubleread.core.stored import StoredCase, Version
from doubleread.rag.stores._schema import OLDER, SCHEMA, schema_of
from doubleread.rag.stores.ledger_folder import FILE, begin, check_folder, clear, damaged, size_of
from doubleread.rag.stores.seal import START, ArchiveSeal, Damaged, check_change, count_rows, last_change, read_seal
from doubleread.rag.stores.transaction import Transaction

_OF_DAMAGE = ("malformed", "not a database", "disk image", "decode to UTF-8", "triggers", "file format")
"""Phrases in SQLite's errors that mean a damaged or altered file."""
_CAREFUL = "pragma cell_size_check=on; pragma secure_delete=on;"
"""Detects damaged pages and overwrites deleted data."""
_CHECKPOINT = "pragma wal_checkpoint(truncate)"
"""Moves committed data into the main file and empties the write-ahead log."""
_RECORDS = (
    "select h.seq, h.time, h.what, h.id, h.reviewer, h.note, h.record, h.digest, "
    "(select p.digest from changes p where p.seq = h.seq - 1)"
)
OF_CASES = "from cases c left join changes h on h.seq = c.seq and h.id = c.id"
"""Joins each case with its last change."""


class LedgerFile:
    """Opens the file in ``folder`` or, with ``create``, creates it; upgrades an older schema.

    Raises ``StoreError`` for a folder that holds something else, for a file that was damaged or changed by another
    program, and if the disk fails. ``check`` is False only to look for damage.
    """

    def __init__(self, folder: Path, *, create: bool, check: bool = True) -> None:
        self.folder = folder.resolve()
        self.path = self.folder / FILE
        self.guard = threading.RLock()
        self.home = OneProcess(f"the archive {self.folder}", StoreError)
        self._sound = False
        with self.mapped("open"):
            self.db = self._open(create)
        try:
            with self.mapped("open"):
                self._check(check)
        except BaseException:
            self.db.close()
            raise

    def about(self, key: str) -> str | None:
        """Returns the value of a key; None if it is not set."""
        found = self.ask("select value from about where key = ?", [key])
        return str(found[0][0]) if found else None

    def tell(self, key: str, value: str) -> None:
        """Stores a value about the archive itself."""
        with self.writing() as step:
            step.tell(key, value)

    def moved(self) -> int:
        """A number that changes whenever this process or another writes."""
        return int(self.ask("pragma data_version")[0][0]) + self.db.total_changes

    def version(self) -> Version:
        """The current version."""
        with self.mapped("read"), self.guard:
            return last_change(self.db)

    def digest_at(self, seq: int) -> str | None:
        """Returns the digest of the chain after ``seq`` changes; None if there were fewer."""
        if seq == 0:
            return START
        found = self.ask("select digest from changes where seq = ?", [seq])
        return str(found[0][0]) if found else None

    @contextmanager
    def reading(self) -> Iterator[tuple[sqlite3.Connection, ArchiveSeal]]:
        """Yields a connection to one consistent state of the file, and its seal."""
        with self.mapped("read"), self.guard:
            self.db.execute("begin")
            try:
                yield self.db, read_seal(self.db)
            except (ValueError, TypeError, KeyError, IndexError) as error:
                raise Damaged(f"it holds values that no archive has ({type(error).__name__})") from None
            finally:
                with suppress(sqlite3.Error):
                    self.db.execute("commit")

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """Yields a transaction: committed and on disk at the end, rolled back if anything fails."""
        with self.mapped("write"), self.guard:
            self._check_lookups()
            self.db.execute("begin immediate")
            try:
                step = Transaction(self.db)
                yield step
                step.seal()
                self.db.execute("commit")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("rollback")
                raise

    def ask(self, query: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.mapped("read"), self.guard:
            return self.db.execute(query, tuple(values)).fetchall()

    def changes(self, source: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Returns sequence, time, what, id, reviewer, note and record of changes ``h``, each verified against its
        predecessor.

        ``source`` begins with ``from``.
        """
        with self.mapped("read"):
            found = self.ask(f"{_RECORDS} {source}", values)
            for *change, before in found:
                check_change(change, START if change[0] == 1 else before)
            return [row[:7] for row in found]

    def records(self, source: str, values: Sequence[object] = ()) -> list[StoredCase]:
        """Returns the cases as these changes left them."""
        with self.mapped("read"):
            found = self.changes(source, values)
            try:
                return [StoredCase.model_validate_json(change[6]) for change in found]
            except ValueError:
                raise Damaged("the record of a case is lost or cannot be read") from None

    @contextmanager
    def mapped(self, verb: str) -> Iterator[None]:
        """Converts SQLite's errors to ``StoreError``."""
        self.home.check()
        try:
            yield
        except Damaged as error:
            raise damaged(self.path, str(error)) from None
        except UnicodeDecodeError:
            raise damaged(self.path, "it holds text that is not UTF-8") from None
        except (sqlite3.Error, OSError) as error:
            if any(one in str(error) for one in _OF_DAMAGE):
                raise damaged(self.path, reason(error)) from None
            raise StoreError(f"{self.path}: failed to {verb}: {reason(error)}; {_remedy(error)}") from None

    def shrink(self, done: str) -> None:
        """Frees the space of deleted data, which is overwritten already, once other readers have finished.

        Raises ``StoreError``, whose text begins with what is ``done``.
        """
        with self.guard:
            try:
                self.db.execute(_CHECKPOINT).fetchall()
            except sqlite3.Error as error:
                raise StoreError(
                    f"{done}, but traces may be left beside {self.path} ({error}): free some space, and give "
                    "the command again"
                ) from None
            try:
                self.db.execute("vacuum")
                self.db.execute(_CHECKPOINT).fetchall()
            except sqlite3.Error as error:
                raise StoreError(
                    f"{done} and overwritten; only {self.path} could not be made smaller ({error}): what is added next "
                    "uses that space"
                ) from None

    def close(self) -> None:
        with self.guard:
            self.db.close()

    def _open(self, create: bool) -> sqlite3.Connection:
        if check_folder(self.folder):
            if not create:
                raise StoreError(f"there is no archive in {self.folder}: make one with `doubleread cases add`")
            begin(self.folder, FILE)
        if os.access(self.folder, os.W_OK):
            clear(self.folder, FILE)
            return connect(self.path, _CAREFUL)
        if size_of(self.path.with_name(f"{FILE}-wal")):
            raise StoreError(
                f"{self.path} was not closed, and its last changes can only be read where it can be written: "
                "copy the folder, or make it writable"
            )
        db = sqlite3.connect(
            f"file:{quote(os.fspath(self.path))}?mode=ro&immutable=1", uri=True, isolation_level=None,
            check_same_thread=False,
        )  # fmt: skip
        db.executescript(f"pragma trusted_schema=off; {_CAREFUL}")
        return db

    def _check_lookups(self) -> None:
        """Checks indexes before the first change: a damaged index would cause duplicate or lost rows."""
        if self._sound:
            return
        for table in ("cases", "changes"):
            for (line,) in self.db.execute(f"pragma integrity_check({table})").fetchall():
                if line != "ok":
                    raise Damaged(" ".join(str(line).split()))
        self._sound = True

    def _check(self, whole: bool) -> None:
        schema = schema_of(self.db)
        if schema == str(OLDER):
            from doubleread.rag.stores._schema import upgrade  # noqa: PLC0415 - rarely needed

            upgrade(self)
        elif schema is None:
            raise Damaged("its tables are not those of an archive")
        elif schema != str(SCHEMA):
            raise StoreError(
                f"the archive {self.folder} has schema {schema}; this doubleread reads {SCHEMA}: upgrade doubleread"
            )
        if whole:
            with self.reading() as (db, seal):
                count_rows(db, seal)


def _remedy(error: Exception) -> str:
    text = str(error)
    if "full" in text or "No space" in text:
        return "nothing of this step was stored, and all before it is kept: free some space and try again"
    if "locked" in text or "busy" in text:
        return "another process is writing: wait for it and try again"
    if "readonly" in text or "read-only" in text:
        return "it cannot be written here: check the permissions of the folder"
    return "what was stored before is kept: free some space, or check the disk and the permissions of the folder"
