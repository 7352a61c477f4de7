"""The truth of an archive: every case, every change and every embedding.

A change is committed with its case in one transaction, so that a process that is killed loses nothing it was told is
stored. Changes form a chain of digests: each covers the one before it, and the last names the state of the whole.
Several processes may read and write; SQLite makes them take turns.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from doubleread.core.stored import StoredCase, Version, What
from doubleread.core.types import Embeddings
from doubleread.rag.stores.contents import Row
from doubleread.rag.stores.ledger_file import OF_CASES, LedgerFile
from doubleread.rag.stores.loading import Delta, changed, everything
from doubleread.rag.stores.seal import count_rows
from doubleread.rag.stores.transaction import marks, parts

ERASED = "erased"
"""Under this the file keeps the number of the last erasure."""


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
        with self._file.writing() as step:
            now, cases = datetime.now(UTC).isoformat(), []
            for what, stored, reviewer, note in events:
                seq = step.change(now, what, stored.case.id, reviewer, note, stored.model_dump_json())
                row = Row.of(stored)
                cases.append((*row[:6], json.dumps(row.tags), row.added, row.perceptual_hash, int(stored.removed), seq))
            step.put_cases(cases)
            if vectors is not None:
                step.put_embeddings(*vectors)
            return step.head

    def erase(self, ids: Sequence[str], reviewer: str, note: str) -> None:
        """Cases leave no picture's trace: records and embeddings are wiped, the changes stay with their digests.

        Those that were erased before are wiped again, and no change is added.
        """
        distinct = list(dict.fromkeys(ids))
        with self._file.writing() as step:
            query = "select id from changes where record is not null and id in"
            kept = {one for part in parts(distinct) for (one,) in step.db.execute(f"{query} ({marks(part)})", part)}
            step.erase(distinct)
            now = datetime.now(UTC).isoformat()
            for one in distinct:
                if one in kept:
                    step.change(now, "erased", one, reviewer, note, None)
            if kept:
                step.db.execute("insert or replace into about values (?,?)", (ERASED, str(step.head.seq)))

    def count(self) -> int:
        """Cases that are not removed."""
        return int(self._file.ask("select count(*) from cases where not removed")[0][0])

    def holds(self, case_id: str) -> bool:
        """Whether a case of that id is stored and not removed."""
        return bool(self._file.ask("select 1 from cases where id = ? and not removed", [case_id]))

    def records(self, ids: Sequence[str] | None = None, *, removed: bool = False) -> list[StoredCase]:
        """Stored cases in the order of their ids; None: all. ``removed``: also those that are."""
        if ids is None:
            return self._file.records(f"{OF_CASES} {'' if removed else 'where not c.removed'} order by c.id")
        found = [
            one
            for part in parts(sorted(set(ids)))
            for one in self._file.records(f"{OF_CASES} where c.id in ({marks(part)}) order by c.id", part)
        ]
        return found if removed else [one for one in found if not one.removed]

    def since(self, encoder: int, dim: int, seq: int, stamp: int) -> Delta:
        """Cases that changed after ``seq`` or were embedded after ``stamp``, read in one state and checked.

        The seal must fit what there is: the sums of all rows where everything is read, else their numbers.
        """
        with self._file.reading() as (db, seal):
            if not stamp:
                return everything(db, seal, encoder, dim)
            count_rows(db, seal)
            return changed(db, seal, encoder, dim, seq, stamp)
