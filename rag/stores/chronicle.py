"""What happened to an archive: its changes, its versions, its snapshots."""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from doubleread.core.errors import StoreError
from doubleread.core.stored import Change, Snapshot, StoredCase, Version
from doubleread.rag.stores.chain import START
from doubleread.rag.stores.ledger_file import LedgerFile, parts


class Chronicle:
    """The past of an open archive. Raises ``StoreError`` for whatever the disk refuses."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def history(self, case_id: str | None = None) -> list[Change]:
        """What happened, oldest first; to one case or to all."""
        where, values = ("where id = ?", [case_id]) if case_id else ("", [])
        found = self._file.ask(
            f"select seq, time, what, id, reviewer, note, record from changes {where} order by seq",  # noqa: S608
            values,
        )
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

    def digest_at(self, seq: int) -> str | None:
        """The digest of the chain after a change; None where there was none of that number."""
        if not seq:
            return START
        found = self._file.ask("select digest from changes where seq = ?", [seq])
        return str(found[0][0]) if found else None

    def at(self, version: Version) -> dict[str, StoredCase]:
        """Every case as it was at a version, also the removed ones; erased cases are gone from every version."""
        found = self._file.ask(
            "select record from changes where seq in (select max(seq) from changes where seq <= ? group by id) "
            "and record is not null",
            [version.seq],
        )
        records = [StoredCase.model_validate_json(record) for (record,) in found]
        return {one.case.id: one for one in records}

    def last_under(self, note: str, ids: Sequence[str]) -> dict[str, StoredCase]:
        """The state that each case was last given under a note; cases that never were are left out."""
        query = (
            "select record from changes where record is not null and seq in "
            "(select max(seq) from changes where note = ? and id in ({}) group by id)"
        )
        found = [row for part in parts(ids) for row in self._file.ask(query.format(_marks(part)), [note, *part])]
        records = [StoredCase.model_validate_json(record) for (record,) in found]
        return {one.case.id: one for one in records}

    def erased(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of these cases that were once erased."""
        query = "select id from changes where what = 'erased' and id in ({})"
        found = [row for part in parts(ids) for row in self._file.ask(query.format(_marks(part)), part)]
        return frozenset(one for (one,) in found)

    def snapshots(self) -> list[Snapshot]:
        """Named versions, oldest first."""
        return [
            Snapshot(name=n, version=Version(seq=s, digest=d), time=datetime.fromisoformat(t), note=note)
            for n, s, d, t, note in self._file.ask("select name, seq, digest, time, note from snapshots order by time")
        ]

    def backup(self, file: Path) -> None:
        """A consistent copy of the file, while others read and write. Raises ``StoreError`` where one exists."""
        if file.exists():
            raise StoreError(f"{file} exists: name another file for the backup")
        with self._file.mapped("back up"):
            file.parent.mkdir(parents=True, exist_ok=True)
            copy = sqlite3.connect(file)
            try:
                with self._file.guard:
                    self._file.db.backup(copy)
            finally:
                copy.close()

    def snapshot(self, name: str, note: str) -> Snapshot:
        """Names the state as it is now. Raises ``StoreError`` where the name is taken."""
        with self._file.writing() as db:
            head, now = self._file.head(db), datetime.now(UTC)
            if db.execute("select 1 from snapshots where name = ?", (name,)).fetchone():
                raise StoreError(
                    f"the archive {self._file.folder} has a snapshot {name!r} already: choose another name"
                )
            db.execute("insert into snapshots values (?,?,?,?,?)", (name, head.seq, head.digest, now.isoformat(), note))
            return Snapshot(name=name, version=head, time=now, note=note)


def _marks(ids: Sequence[str]) -> str:
    return ",".join("?" * len(ids))
