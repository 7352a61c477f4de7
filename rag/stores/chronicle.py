"""What happened to an archive: its changes, its versions, its snapshots."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from doubleread.core.durable import reason, sync_folder
from doubleread.core.errors import StoreError
from doubleread.core.stored import Change, Snapshot, StoredCase, Version
from doubleread.rag.stores.ledger_file import LedgerFile
from doubleread.rag.stores.transaction import marks, parts


class Chronicle:
    """The past of an open archive. Raises ``StoreError`` for whatever the disk refuses."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def history(self, case_id: str | None = None) -> list[Change]:
        """What happened, oldest first; to one case or to all."""
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
        """Every case as it was at a version, also the removed ones; erased cases are gone from every version."""
        records = self._file.records(
            "from changes h where h.record is not null and h.seq in "
            "(select max(seq) from changes where seq <= ? group by id)",
            [version.seq],
        )
        return {one.case.id: one for one in records}

    def last_under(self, note: str, ids: Sequence[str]) -> dict[str, StoredCase]:
        """The state that each case was last given under a note; cases that never were are left out."""
        query = (
            "from changes h where h.record is not null and h.seq in "
            "(select max(seq) from changes where note = ? and id in ({}) group by id)"
        )
        records = [one for part in parts(ids) for one in self._file.records(query.format(marks(part)), [note, *part])]
        return {one.case.id: one for one in records}

    def erased(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of these cases that were once erased."""
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
        """A consistent copy of the file, while others read and write. Raises ``StoreError`` where one exists."""
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
        """Names the state as it is now. Raises ``StoreError`` where the name is taken."""
        with self._file.writing() as step:
            head, now = step.head, datetime.now(UTC)
            if step.db.execute("select 1 from snapshots where name = ?", (name,)).fetchone():
                raise StoreError(
                    f"the archive {self._file.folder} has a snapshot {name!r} already: choose another name"
                )
            values = (name, head.seq, head.digest, now.isoformat(), note)
            step.db.execute("insert into snapshots values (?,?,?,?,?)", values)
            return Snapshot(name=name, version=head, time=now, note=note)
