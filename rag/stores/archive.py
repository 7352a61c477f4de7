"""The archive: a folder of labelled cases that several processes may share.

The ledger (SQLite) is authoritative. A copy of its rows in memory answers exact searches; an index (Chroma) speeds up
unfiltered nearest-neighbour searches of many cases. The index can be rebuilt from the ledger at any time.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from doubleread.core.errors import EncoderMismatch, StoreError
from doubleread.core.evidence import Neighbour
from doubleread.core.stored import StoredCase, Version, Wanted
from doubleread.core.types import Embeddings
from doubleread.rag.stores._archive_index import INDEX_FROM, INDEX_STEP, ArchiveIndex, nearest_by_index
from doubleread.rag.stores.contents import Contents
from doubleread.rag.stores.ledger import ERASED, CaseEvent, Chronicle, Ledger, Vectors, event_of
from doubleread.rag.stores.ledger_embeddings import EncoderRow, LedgerEmbeddings, add_encoder
from doubleread.rag.stores.ledger_file import LedgerFile
from doubleread.rag.stores.ledger_folder import damaged, wipe_indexes
from doubleread.rag.stores.store_base import SearchableStore
from doubleread.rag.stores.stored_rows import Exported, checked_rows, differs

if TYPE_CHECKING:
    from doubleread.rag.stores.index import Index

ACTIVE = "encoder"
"""Ledger key of the fingerprint of the active encoder, whose embeddings are searched."""
INDEXES = "index"
"""Sub-folder of the indexes, one for each encoder's number."""
_COMMIT = 1000
"""Rows in one transaction."""


class Archive(SearchableStore):
    """Implements the ``CaseStore`` port on a folder; with ``create``, the folder is made if there is none.

    Data is verified when it is read: the archive's metadata at opening, its cases and embeddings by ``contents``, which
    every search uses. With ``index``, Chroma answers unfiltered searches of ``index_from`` cases or more. Raises
    ``EncoderMismatch`` if the folder holds embeddings of other encoders only, and ``StoreError`` if it is no archive or
    a damaged one.
    """

    def __init__(
        self,
        folder: Path,
        fingerprint: str,
        *,
        dim: int,
        read_only: bool = False,
        create: bool = True,
        index: bool = True,
        index_from: int = INDEX_FROM,
        name: str = "",
    ) -> None:
        self.file = LedgerFile(folder, create=create and not read_only)
        self.folder, self.fingerprint, self.dim, self.read_only = self.file.folder, fingerprint, dim, read_only
        self.ledger, self.vectors, self.past = Ledger(self.file), LedgerEmbeddings(self.file), Chronicle(self.file)
        self._guard = threading.RLock()
        self._contents, self._seq, self._stamp, self._moved = Contents.empty(dim), 0, 0, -1
        try:
            self.encoder = self._encoder(name, begin=create and not read_only)
        except BaseException:
            self.file.close()
            raise
        self._index = ArchiveIndex(
            self.folder / INDEXES / str(self.encoder), self.vectors, self.encoder, dim, self._state, index_from
        )
        if read_only or not index:
            self._index.drop()

    @classmethod
    def existing(cls, folder: Path, *, index: bool = False) -> Self:
        """Opens an archive with its active encoder's embeddings; no encoder is loaded."""
        held = held_encoder(folder)
        if held is None:
            raise StoreError(begun(folder))
        return cls(folder, held.fingerprint, dim=held.dim, create=False, index=index)

    def use_index(self) -> Self:
        """Lets Chroma answer unfiltered searches from now on, as with ``index``."""
        self._wants_index = not self.read_only
        return self

    def put(
        self, stored: Sequence[StoredCase], embeddings: Embeddings, *, reviewer: str = "", note: str = ""
    ) -> Version:
        """Upserts by case id with provenance, in transactions of a thousand rows; unchanged cases are skipped.

        Raises ``StoreError``; what was committed before stays.
        """
        self._check_writable()
        rows = checked_rows(stored, embeddings, self.dim)
        for start in range(0, len(rows.stored), _COMMIT):
            part = slice(start, start + _COMMIT)
            self._put(rows.stored[part], rows.embeddings[part], reviewer, note)
        with self._guard:
            self._index.catch_up(len(rows.stored) + INDEX_STEP)
        return self.file.version()

    def write(self, events: Sequence[CaseEvent]) -> Version:
        """Commits changes of cases whose embeddings stay the same."""
        self._check_writable()
        return self.ledger.write(events) if events else self.file.version()

    def remove(self, ids: Sequence[str], *, reviewer: str = "", note: str = "") -> None:
        """Hides cases from searches and keeps their records. Unknown ids are ignored."""
        there = self.ledger.records(ids)
        self.write([CaseEvent("removed", one.model_copy(update={"removed": True}), reviewer, note) for one in there])

    def erase(self, ids: Sequence[str], *, reviewer: str = "", note: str = "") -> bool:
        """Deletes cases for good, with their embeddings and contents; only the fact of the erasure is recorded.

        Cases that were erased before are wiped again. Raises ``StoreError``, which says what is done and what is left,
        if the disk is too full to rewrite the file. The indexes of all encoders are wiped, and this object builds none
        again, since Chroma writes memory that it has not cleared to disk. Returns False if another process holds an
        index: it no longer finds the cases, but its files keep their embeddings until it ends and the index is opened
        again.
        """
        self._check_writable()
        with self._guard:
            self.ledger.erase(ids, reviewer, note)
            self._contents, self._seq, self._stamp, self._moved = Contents.empty(self.dim), 0, 0, -1
            self._index.drop()
            wiped = wipe_indexes(self.folder / INDEXES)
            self.file.shrink(f"{len(set(ids)):,} cases are erased")
            return wiped

    def holds(self, case_id: str) -> bool:
        return self.ledger.holds(case_id)

    def get(self, ids: Sequence[str]) -> list[StoredCase]:
        found = {one.case.id: one for one in self.ledger.records(ids)}
        lost = [one for one in ids if one not in found and one in self._contents.position]
        if lost and any(one in self.contents().position for one in lost):
            raise damaged(self.file.path, f"case {lost[0][:12]} is not found under its id")
        return [found[one] for one in ids if one in found]

    def export(self) -> Exported:
        contents = self.contents()
        cases = [one.case for one in self.ledger.records() if one.case.id in contents.position]
        return Exported(cases, contents.embeddings[[contents.position[case.id] for case in cases]])

    def digest_at(self, seq: int) -> str | None:
        """Returns the digest of the chain after ``seq`` changes; None if there were fewer."""
        return self.file.digest_at(seq)

    def version(self) -> str:
        """The current state, such as ``v120-3f9a0c11d2e4``."""
        return self.file.version().id

    def index(self) -> "Index | None":
        """The index in use; None if searches are exact."""
        cases = len(self.contents())
        with self._guard:
            return self._index.current(cases, self._stamp)

    def encoders(self) -> list[EncoderRow]:
        return self.vectors.encoders()

    def contents(self) -> Contents:
        """Returns what is stored now, including changes by other processes."""
        self.file.home.check()  # another thread may have held the guard during a fork
        with self._guard:
            moved = self.file.moved()
            if moved != self._moved:
                delta = self.ledger.since(self.encoder, self.dim, self._seq, self._stamp)
                if not len(self._contents):
                    self._contents = Contents(delta.rows, delta.embeddings)
                elif delta.rows or delta.gone:
                    self._contents = self._contents.changed(delta.rows, delta.embeddings, delta.gone)
                self._seq, self._stamp, self._moved = delta.seq, delta.stamp, moved
            return self._contents

    def close(self) -> None:
        with self._guard:
            self._index.drop()
            self.file.close()

    def _encoder(self, name: str, *, begin: bool) -> int:
        """Returns the encoder's number; a new archive assigns one."""
        known = {row.fingerprint: row for row in self.vectors.encoders()}
        active, row = self.file.about(ACTIVE), known.get(self.fingerprint)
        if row is not None and row.dim == self.dim and active is not None:
            return row.number
        if known and active is not None:
            held = ", ".join(f"{one.fingerprint} (length {one.dim})" for one in known.values())
            raise EncoderMismatch(
                f"the archive {self.folder} holds embeddings of {held}, not of {self.fingerprint} (length {self.dim}): "
                "use that encoder, or encode the archive anew with `doubleread cases reencode`"
            )
        if not begin:
            raise StoreError(begun(self.folder))
        with self.file.writing() as step:
            number = add_encoder(step, self.fingerprint, self.dim, name)
            step.tell(ACTIVE, self.fingerprint)
            return number

    def _put(self, stored: Sequence[StoredCase], embeddings: Embeddings, reviewer: str, note: str) -> None:
        ids = [one.case.id for one in stored]
        there = {one.case.id: one for one in self.ledger.records(ids, removed=True)}
        had = self.vectors.stored_embeddings(self.encoder, ids)
        events = [event_of(there.get(one.case.id), one, reviewer, note) for one in stored]
        told = [event for event in events if event is not None]
        moved = [i for i, one in enumerate(ids) if one not in had or differs(had[one], embeddings[i])]
        if told or moved:
            self.ledger.write(told, Vectors(self.encoder, [ids[i] for i in moved], embeddings[moved]))

    def _nearest(
        self,
        units: Embeddings,
        k: int,
        contents: Contents,
        wanted: Wanted,
        exclude_ids: frozenset[str],
        exclude_groups: frozenset[str],
    ) -> list[list[Neighbour]]:
        """Unfiltered searches use the index if this process has it; filtered ones are exact."""
        with self._guard:
            index = self._index.current(len(contents), self._stamp) if wanted.everything else None
            usual = -1.0 if index is None else self._index.usual(contents)
        if index is None:
            return super()._nearest(units, k, contents, wanted, exclude_ids, exclude_groups)
        return [nearest_by_index(index, contents, query, k, exclude_ids, exclude_groups, usual) for query in units]

    def _state(self) -> str:
        """Returns the state that an index belongs to: an encoder and the last erasure."""
        return f"{self.fingerprint} {self.file.about(ERASED) or 0}"

    def _check_writable(self) -> None:
        if self.read_only:
            raise StoreError(f"the archive {self.folder} was opened read-only: open it for writing to change it")


def held_encoder(folder: Path) -> EncoderRow | None:
    """Returns the archive's active encoder; None if nothing has been stored yet."""
    file = LedgerFile(folder, create=False)
    try:
        active = file.about(ACTIVE)
        return next((row for row in LedgerEmbeddings(file).encoders() if row.fingerprint == active), None)
    finally:
        file.close()


def begun(folder: Path) -> str:
    """Returns the message for an archive in which nothing has been stored yet."""
    return (
        f"the archive {folder} was begun and holds no embeddings yet: give `doubleread cases add {folder} DATA` "
        "(again), it goes on from there"
    )
