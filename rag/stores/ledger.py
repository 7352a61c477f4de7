"""The truth of an archive: every case, every change and every embedding.

A change is committed with its case in one transaction, so that a process that is killed loses nothing it was told is
stored. Changes form a chain of digests: each covers the one before it, and the last names the state of the whole.
Several processes may read and write; SQLite makes them take turns.
"""

import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from doubleread.core.stored import StoredCase, Version, What
from doubleread.core.types import Embeddings
from doubleread.rag.stores.chain import chained
from doubleread.rag.stores.contents import Row
from doubleread.rag.stores.ledger_embeddings import put_embeddings
from doubleread.rag.stores.ledger_file import LedgerFile, parts

ERASED = "erased"
"""Under this the file keeps the number of the last erasure."""
_COLUMNS = "c.id, c.label, c.grp, c.split, c.source, c.path, c.tags, c.added, c.hash"


class Delta(NamedTuple):
    """What has changed since a reader last looked."""

    rows: list[Row]
    embeddings: Embeddings
    gone: frozenset[str]
    seq: int
    stamp: int


class Event(NamedTuple):
    """A change that is to be written."""

    what: What
    stored: StoredCase
    reviewer: str = ""
    note: str = ""


class Vectors(NamedTuple):
    """Embeddings of an encoder, ``(len(ids), dim)``, of cases that are there or are being written."""

    encoder: int
    ids: Sequence[str]
    embeddings: Embeddings


def event_of(before: StoredCase | None, after: StoredCase, reviewer: str, note: str) -> Event | None:
    """What changes when a case is given again; None where nothing does. When it first came stays, and from where.

    A removed case that another data set brings back is that data set's from then on.
    """
    vouched = reviewer or after.reviewer
    if before is None:
        return Event("added", after, vouched, note)
    kept = after.model_copy(
        update={
            "added": before.added,
            "origin": before.origin,
            "perceptual_hash": after.perceptual_hash or before.perceptual_hash,
        }
    )
    if before.removed:
        return Event("restored", kept.model_copy(update={"origin": after.origin or before.origin}), vouched, note)
    if before.label != after.label:
        return Event("relabelled", kept, vouched, note)
    same = (before.case, before.tags, before.perceptual_hash) == (kept.case, kept.tags, kept.perceptual_hash)
    return None if same else Event("described", kept, reviewer, note)


class Ledger:
    """Cases, changes and embeddings in an open file. Raises ``StoreError`` for whatever the disk refuses."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def write(self, events: Sequence[Event], vectors: Vectors | None = None) -> Version:
        """Commits changes, and embeddings if given: all or none."""
        with self._file.writing() as db:
            head, now = self._file.head(db), datetime.now(UTC).isoformat()
            seq, digest = head.seq, head.digest
            changes, cases = [], []
            for event in events:
                seq, record = seq + 1, event.stored.model_dump_json()
                digest = chained(
                    digest, [seq, now, event.what, event.stored.case.id, event.reviewer, event.note, record]
                )
                changes.append((seq, now, event.what, event.stored.case.id, event.reviewer, event.note, record, digest))
                row = Row.of(event.stored)
                cases.append(
                    (*row[:6], json.dumps(row.tags), row.added, event.stored.removed, seq, row.perceptual_hash)
                )
            db.executemany("insert into changes values (?,?,?,?,?,?,?,?)", changes)
            db.executemany("insert or replace into cases values (?,?,?,?,?,?,?,?,?,?,?)", cases)
            if vectors is not None:
                put_embeddings(db, *vectors)
            return Version(seq=seq, digest=digest)

    def erase(self, ids: Sequence[str], reviewer: str, note: str) -> None:
        """Cases leave no picture's trace: records and embeddings are wiped, the changes stay with their digests."""
        with self._file.writing() as db:
            for part in parts(ids):
                marks = ",".join("?" * len(part))
                for statement in (
                    "update changes set record = null where id in",
                    "delete from cases where id in",
                    "delete from embeddings where id in",
                ):
                    db.execute(f"{statement} ({marks})", part)
            now, head = datetime.now(UTC).isoformat(), self._file.head(db)
            for one in ids:
                digest = chained(head.digest, [head.seq + 1, now, "erased", one, reviewer, note, None])
                db.execute(
                    "insert into changes values (?,?,'erased',?,?,?,null,?)",
                    (head.seq + 1, now, one, reviewer, note, digest),
                )
                head = Version(seq=head.seq + 1, digest=digest)
            db.execute("insert or replace into about values (?,?)", (ERASED, str(head.seq)))
        self._file.shrink()

    def count(self) -> int:
        """Cases that are not removed."""
        return int(self._file.ask("select count(*) from cases where not removed")[0][0])

    def holds(self, case_id: str) -> bool:
        """Whether a case of that id is stored and not removed."""
        return bool(self._file.ask("select 1 from cases where id = ? and not removed", [case_id]))

    def records(self, ids: Sequence[str] | None = None, *, removed: bool = False) -> list[StoredCase]:
        """Stored cases in the order of their ids; None: all. ``removed``: also those that are."""
        query = "select h.record from cases c join changes h on h.seq = c.seq"
        if ids is None:
            found = self._file.ask(f"{query} {'' if removed else 'where not c.removed'} order by c.id")
        else:
            found = [
                row
                for part in parts(sorted(set(ids)))
                for row in self._file.ask(f"{query} where c.id in ({','.join('?' * len(part))}) order by c.id", part)
            ]
        records = [StoredCase.model_validate_json(record) for (record,) in found]
        return records if removed else [one for one in records if not one.removed]

    def since(self, encoder: int, dim: int, seq: int, stamp: int) -> Delta:
        """Cases that changed after ``seq`` or were embedded after ``stamp``, read in one state."""
        with self._file.mapped("read"), self._file.guard:
            db = self._file.db
            db.execute("begin")
            try:
                found = _changed(db, encoder, dim, seq, stamp) if stamp else _everything(db, encoder, dim)
                gone = db.execute(
                    "select id from changes where seq > ? and (what = 'removed' or what = 'erased')", (seq,)
                ).fetchall()
                head = self._file.head(db).seq
            finally:
                db.execute("commit")
        rows, embeddings, last = found
        return Delta(rows, embeddings, frozenset(one for (one,) in gone), head, max(stamp, last))


def _everything(db: sqlite3.Connection, encoder: int, dim: int) -> tuple[list[Row], Embeddings, int]:
    """Two reads from one end of the file to the other: to look each case up takes a cold disk many times as long."""
    known = {found[0]: found for found in db.execute(f"select {_COLUMNS} from cases c where not c.removed")}  # noqa: S608
    (most,) = db.execute("select count(*) from embeddings where encoder = ?", (encoder,)).fetchone()
    rows, embeddings, stamp = list[Row](), np.empty((most, dim), np.float32), 0
    query = "select id, row, stamp from embeddings not indexed where encoder = ? order by stamp"
    for one, row, stamp in db.execute(query, (encoder,)):  # noqa: B007 - the last one counts
        if one in known:
            embeddings[len(rows)] = np.frombuffer(row, np.float32)
            rows.append(_row(known[one]))
    return rows, embeddings[: len(rows)], stamp


def _changed(db: sqlite3.Connection, encoder: int, dim: int, seq: int, stamp: int) -> tuple[list[Row], Embeddings, int]:
    """Only what changed is looked up."""
    found = db.execute(
        f"select {_COLUMNS}, e.row, e.stamp from (select id from cases where seq > ? union "  # noqa: S608
        "select id from embeddings not indexed where stamp > ? and encoder = ?) d cross join cases c on c.id = d.id "
        "cross join embeddings e on e.encoder = ? and e.id = d.id where not c.removed order by e.stamp",
        (seq, stamp, encoder, encoder),
    ).fetchall()
    embeddings = np.frombuffer(b"".join(one[-2] for one in found), np.float32).reshape(-1, dim)
    return [_row(one) for one in found], embeddings, found[-1][-1] if found else 0


def _row(found: Sequence[Any]) -> Row:
    one, label, group, split, source, path, tags, added, seen = found[:9]
    return Row(one, label, group, split, source, path, () if tags == "[]" else tuple(json.loads(tags)), added, seen)
