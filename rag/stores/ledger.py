"""The ledger of an archive, its authoritative record: every case, change and embedding.

A change is committed with its case in one transaction, so that a killed process loses nothing that was reported as
stored. Changes form a chain of digests: each covers the one before it, and the last identifies the whole state.
Several processes may read and write; SQLite serialises the writes.
"""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from doubleread.core.durable import reason, sync_folder
from doubleread.core.errors import StoreError
from doubleread.core.stored import Change, Snapshot, StoredCase, Version, What
from doubleread.core.types import Embeddings
from doubleread.rag.stores._loading import Delta, changed, everything
from doubleread.rag.stores.contents import CaseRow
from doubleread.rag.stores.ledger_file import OF_CASES, LedgerFile
from doubleread.rag.stores.seal import count_rows
from doubleread.rag.stores.transaction import marks, parts

ERASED = "erased"
"""Key under which the file keeps the number of the last erasure."""


class CaseEvent(NamedTuple):
    """A change to be written."""

    what: What
    stored: StoredCase
    reviewer: str = ""
    note: str = ""


class Vectors(NamedTuple):
    """An encoder's embeddings, ``(len(ids), dim)``, of cases that are stored or being written."""

    encoder: int
    ids: Sequence[str]
    embeddings: Embeddings


def event_of(before: StoredCase | None, after: StoredCase, reviewer: str, note: str) -> CaseEvent | None:
    """Returns the change when a case is given again; None if nothing differs. Its first origin and time are kept.

    A removed case that another data set restores gets that data set as its origin.
    """
    vouched = reviewer or after.reviewer
    if before is None:
        return CaseEvent("added", after, vouched, note)
    kept = after.model_copy(
        update={
            "added": before.added,
            "origin": before.origin,
            "perceptual_hash": after.perceptual_hash or before.perceptual_hash,
        }
    )
    if before.removed:
        return CaseEvent("restored", kept.model_copy(update={"origin": after.origin or before.origin}), vouched, note)
    if before.label != after.label:
        return CaseEvent("relabelled", kept, vouched, note)
    same = (before.case, before.tags, before.perceptual_hash) == (kept.case, kept.tags, kept.perceptual_hash)
    return None if same else CaseEvent("described", kept, reviewer, note)


class Ledger:
    """Cases, changes and embeddings in an open file. Raises ``StoreError`` if the disk fails."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def write(self, events: Sequence[CaseEvent], vectors: Vectors | None = None) -> Version:
        """Commits changes, and embeddings if given: all or none."""
        with self._file.writing() as step:
            now, cases = datetime.now(UTC).isoformat(), []
            for what, stored, reviewer, note in events:
                seq = step.change(now, what, stored.case.id, reviewer, note, stored.model_dump_json())
                row = CaseRow.of(stored)
                cases.append((*row[:6], json.dumps(row.tags), row.added, row.perceptual_hash, int(stored.removed), seq))
            step.put_cases(cases)
            if vectors is not None:
                step.put_embeddings(*vectors)
            return step.head

    def erase(self, ids: Sequence[str], reviewer: str, note: str) -> None:
        """Wipes the records and embeddings of cases; the changes stay with their digests.

        Cases that were erased before are wiped again, without a new change.
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
                step.tell(ERASED, str(step.head.seq))

    def count(self) -> int:
        """Returns the number of cases that are not removed."""
        return int(self._file.ask("select count(*) from cases where not removed")[0][0])

    def holds(self, case_id: str) -> bool:
        """Whether a case of that id is stored and not removed."""
        return bool(self._file.ask("select 1 from cases where id = ? and not removed", [case_id]))

    def records(self, ids: Sequence[str] | None = None, *, removed: bool = False) -> list[StoredCase]:
        """Returns stored cases ordered by id, all if ``ids`` is None; ``removed`` includes removed cases."""
        if ids is None:
            return self._file.records(f"{OF_CASES} {'' if removed else 'where not c.removed'} order by c.id")
        found = [
            one
            for part in parts(sorted(set(ids)))
            for one in self._file.records(f"{OF_CASES} where c.id in ({marks(part)}) order by c.id", part)
        ]
        return found if removed else [one for one in found if not one.removed]

    def since(self, encoder: int, dim: int, seq: int, stamp: int) -> Delta:
        """Returns verified cases that changed after ``seq`` or were embedded after ``stamp``, from one consistent read.

        The seal must match: the sums of all rows if everything is read, else the number of rows.
        """
        with self._file.reading() as (db, seal):
            if not stamp:
                return everything(db, seal, encoder, dim)
            count_rows(db, seal)
            return changed(db, seal, encoder, dim, seq, stamp)


class Chronicle:
    """The history of an open archive. Raises ``StoreError`` if the disk fails."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def history(self, case_id: str | None = None) -> list[Change]:
        """Returns the changes of one case or of all, oldest first."""
        where, values = ("where h.id = ?", [case_id]) if case_id else ("", [])
        found = self._file.changes(f"from changes h {where} order by seq", values)
        labels: dict[str, str] = {}
        changes = []
        for seq, when, what, one, reviewer, note, record in found:
            after = StoredCase.model_validate_json(record).label if record else ""
            changes.append(
                Change(
                    seq=seq, time=datetime.fromisoformat(when), what=what, case_id=one, reviewer=reviewer, note=note,
                    before=labels.get(one, ""), after=after,
                )
            )  # fmt: skip
            labels[one] = after
        return changes

    def at(self, version: Version) -> dict[str, StoredCase]:
        """Returns every case as it was at a version, also removed cases; erased cases are missing in every version."""
        records = self._file.records(
            "from changes h where h.record is not null and h.seq in "
            "(select max(seq) from changes where seq <= ? group by id)",
            [version.seq],
        )
        return {one.case.id: one for one in records}

    def last_under(self, note: str, ids: Sequence[str]) -> dict[str, StoredCase]:
        """Returns the last state of each case that was written under a note; other cases are left out."""
        query = (
            "from changes h where h.record is not null and h.seq in "
            "(select max(seq) from changes where note = ? and id in ({}) group by id)"
        )
        records = [one for part in parts(ids) for one in self._file.records(query.format(marks(part)), [note, *part])]
        return {one.case.id: one for one in records}

    def erased(self, ids: Sequence[str]) -> frozenset[str]:
        """Returns those of these cases that were ever erased."""
        query = "select id from changes where what = 'erased' and id in ({})"
        found = [row for part in parts(ids) for row in self._file.ask(query.format(marks(part)), part)]
        return frozenset(one for (one,) in found)

    def snapshots(self) -> list[Snapshot]:
        """Named versions, oldest first."""
        return [
            Snapshot(name=n, version=Version(seq=s, digest=d), time=datetime.fromisoformat(t), note=note)
            for n, s, d, t, note in self._file.ask("select name, seq, digest, time, note from snapshots order by time")
        ]

    def backup(self, file: Path) -> None:
        """Writes a consistent copy of the file while others read and write. Raises ``StoreError`` if one exists."""
        part = file.with_name(f".{file.name}.part")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.exists():
                raise StoreError(f"{file} exists: name another file for the backup")
            try:
                self._copy(part)
                part.rename(file)
                sync_folder(file.parent)
            finally:
                part.unlink(missing_ok=True)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{file} cannot be written: {reason(error)}; there is no backup, and the archive is as it was: "
                "free some space, or name another place"
            ) from None

    def _copy(self, file: Path) -> None:
        file.unlink(missing_ok=True)
        with closing(sqlite3.connect(file)) as copy, self._file.guard:
            copy.executescript("pragma journal_mode=off; pragma synchronous=full;")
            self._file.db.backup(copy)

    def snapshot(self, name: str, note: str) -> Snapshot:
        """Names the current state. Raises ``StoreError`` if the name is taken."""
        with self._file.writing() as step:
            head, now = step.head, datetime.now(UTC)
            if step.db.execute("select 1 from snapshots where name = ?", (name,)).fetchone():
                raise StoreError(
                    f"the archive {self._file.folder} has a snapshot {name!r} already: choose another name"
                )
            values = (name, head.seq, head.digest, now.isoformat(), note)
            step.db.execute("insert into snapshots values (?,?,?,?,?)", values)
            return Snapshot(name=name, version=head, time=now, note=note)
