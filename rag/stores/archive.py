"""The archive: a folder of labelled cases that several processes may share.

The ledger (SQLite) is the truth, a copy of its rows in memory answers every exact question, and an index (Chroma)
answers the plain nearest-neighbour question faster where there are many cases. Losing the index loses nothing.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from doubleread.core.case import Case
from doubleread.core.errors import EncoderMismatch, StoreError
from doubleread.core.evidence import Neighbour
from doubleread.core.stored import StoredCase, Version, Wanted
from doubleread.core.types import Embeddings
from doubleread.rag.stores.chronicle import Chronicle
from doubleread.rag.stores.contents import Contents
from doubleread.rag.stores.familiar import least_usual_similarity
from doubleread.rag.stores.ledger import ERASED, Event, Ledger, Vectors, event_of
from doubleread.rag.stores.ledger_embeddings import EncoderRow, LedgerEmbeddings, add_encoder
from doubleread.rag.stores.ledger_file import LedgerFile
from doubleread.rag.stores.ledger_folder import damaged
from doubleread.rag.stores.searched import EVERYTHING, NOBODY, Searched
from doubleread.rag.stores.stored_rows import Exported, check_k, checked_rows, differs, nearest_first, unit_rows
from doubleread.rag.stores.wiping import wipe_indexes

if TYPE_CHECKING:
    from doubleread.rag.stores.index import Index

ACTIVE = "encoder"
"""Under this the ledger keeps the fingerprint of the encoder that is searched by."""
INDEXES = "index"
"""The sub-folder of the indexes, one a number of an encoder."""
INDEX_FROM = 10_000
"""Cases from which the index is faster than looking at every one: measured with rows of 512."""
INDEX_LAG = 5000
"""Rows that the index may be behind and still catch up while someone waits."""
INDEX_STEP = 2000
"""Rows that the index catches up with whenever something is written, besides those: a few seconds, not minutes."""
_MARGIN = 16
_SAME = 1e-3
"""How far a similarity that the index tells may be from the archive's own."""
_COMMIT = 1000
"""Rows in one transaction."""
_log = logging.getLogger(__name__)


class Archive(Searched):
    """Implements the ``CaseStore`` port on a folder; made there if there is none, where it may ``create`` one.

    Whatever is read is checked when it is read: what the archive says of itself at opening, its cases and embeddings
    by ``contents``, which every search rests on.

    ``index``: whether Chroma is to answer plain searches, where there are ``index_from`` cases or more. Raises
    ``EncoderMismatch`` where the folder holds embeddings of other encoders only, and ``StoreError`` where it is no
    archive or a damaged one.
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
        self._index: Index | None = None
        self._wants_index, self._index_from = index and not read_only, index_from
        self._contents, self._seq, self._stamp, self._moved = Contents.empty(dim), 0, 0, -1
        self._familiar: tuple[int, float] | None = None
        self._guard = threading.RLock()
        try:
            self.encoder = self._encoder(name, begin=create and not read_only)
        except BaseException:
            self.file.close()
            raise

    @classmethod
    def existing(cls, folder: Path, *, index: bool = False) -> Self:
        """An archive as it lies there, by the encoder it is searched by; no encoder is loaded."""
        held = held_encoder(folder)
        if held is None:
            raise StoreError(begun(folder))
        return cls(folder, held.fingerprint, dim=held.dim, create=False, index=index)

    def use_index(self) -> Self:
        """From now on Chroma answers plain searches, as with ``index``."""
        self._wants_index = not self.read_only
        return self

    # -- writing ------------------------------------------------------------------------------------------------

    def add(self, cases: Sequence[Case], embeddings: Embeddings) -> None:
        """Upserts by case id; on disk when it returns. Raises ``StoreError``."""
        now = datetime.now(UTC)
        self.put([StoredCase(case=case, added=now) for case in cases], embeddings)

    def put(
        self, stored: Sequence[StoredCase], embeddings: Embeddings, *, reviewer: str = "", note: str = ""
    ) -> Version:
        """Upserts by case id with provenance, in transactions of a thousand rows; what is the same is left alone.

        Raises ``StoreError``; what was committed before stays.
        """
        self._check_writable()
        rows = checked_rows(stored, embeddings, self.dim)
        for start in range(0, len(rows.stored), _COMMIT):
            part = slice(start, start + _COMMIT)
            self._put(rows.stored[part], rows.embeddings[part], reviewer, note)
        self._catch_up(len(rows.stored) + INDEX_STEP)
        return self.file.version()

    def write(self, events: Sequence[Event]) -> Version:
        """Commits changes of cases whose embeddings stay as they are."""
        self._check_writable()
        return self.ledger.write(events) if events else self.file.version()

    def remove(self, ids: Sequence[str], *, reviewer: str = "", note: str = "") -> None:
        """Cases are found no more; their record stays. Ids that are not there do nothing."""
        there = self.ledger.records(ids)
        self.write([Event("removed", one.model_copy(update={"removed": True}), reviewer, note) for one in there])

    def erase(self, ids: Sequence[str], *, reviewer: str = "", note: str = "") -> bool:
        """Cases leave the archive for good, with their embeddings and all they were; that they did is on record.

        Those that were erased before are wiped again. Raises ``StoreError`` that says what is done and what is left
        where the disk is too full to write the file anew.

        The indexes of all encoders are wiped, and this object builds none again: Chroma writes memory as it finds it.
        False where another process holds one: it finds the cases no more, and its files keep their embeddings until
        it ends and the index is opened again.
        """
        self._check_writable()
        with self._guard:
            self.ledger.erase(ids, reviewer, note)
            self._contents, self._seq, self._stamp, self._moved = Contents.empty(self.dim), 0, 0, -1
            self._drop_index()
            wiped = wipe_indexes(self.folder / INDEXES)
            self.file.shrink(f"{len(set(ids)):,} cases are erased")
            return wiped

    # -- reading ------------------------------------------------------------------------------------------------

    def search(
        self,
        queries: Embeddings,
        k: int,
        *,
        wanted: Wanted = EVERYTHING,
        exclude_ids: frozenset[str] = NOBODY,
        exclude_groups: frozenset[str] = NOBODY,
    ) -> list[list[Neighbour]]:
        """The ``k`` nearest cases of each query row, nearest first; fewer where there are no more.

        Plain questions go to the index, where this process has it; filtered ones, and those to which nothing is as
        near as stored cases are to each other, are answered exactly.
        """
        check_k(k)
        units, contents = unit_rows(queries, self.dim), self.contents()
        index = self._current_index(len(contents)) if wanted.everything else None
        if index is None:
            mask = contents.mask(wanted, exclude_ids, exclude_groups)
            return [contents.nearest(query, k, mask) for query in units]
        usual = self._usual(contents)
        return [
            self._by_index(index.nearest, contents, query, k, exclude_ids, exclude_groups, usual) for query in units
        ]

    def holds(self, case_id: str) -> bool:
        """Whether a case of that id is stored."""
        return self.ledger.holds(case_id)

    def get(self, ids: Sequence[str]) -> list[StoredCase]:
        """The stored cases of these ids, in this order; unknown ids are left out."""
        found = {one.case.id: one for one in self.ledger.records(ids)}
        lost = [one for one in ids if one not in found and one in self._contents.position]
        if lost and any(one in self.contents().position for one in lost):
            raise damaged(self.file.path, f"case {lost[0][:12]} is not found under its id")
        return [found[one] for one in ids if one in found]

    def export(self) -> Exported:
        """Every case that can be found, in the order of the case ids."""
        contents = self.contents()
        cases = [one.case for one in self.ledger.records() if one.case.id in contents.position]
        return Exported(cases, contents.embeddings[[contents.position[case.id] for case in cases]])

    def digest_at(self, seq: int) -> str | None:
        """The digest of the chain after that many changes; None where there were fewer."""
        return self.file.digest_at(seq)

    def version(self) -> str:
        """The state as it is now, such as ``v120-3f9a0c11d2e4``."""
        return self.file.version().id

    def index(self) -> "Index | None":
        """What answers plain searches now; None where they are answered exactly."""
        return self._current_index(len(self.contents()))

    def encoders(self) -> list[EncoderRow]:
        """Every encoder whose embeddings it holds."""
        return self.vectors.encoders()

    def contents(self) -> Contents:
        """What is stored now, by whichever process."""
        self.file.home.check()  # a fork may have been made while another thread held the guard
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
        """Lets go of the folder; a second call does nothing."""
        with self._guard:
            self._drop_index()
            self.file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- inside -------------------------------------------------------------------------------------------------

    def _encoder(self, name: str, *, begin: bool) -> int:
        """The number of its encoder, which an archive that was just begun is given."""
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
            step.db.execute("insert or replace into about values (?,?)", (ACTIVE, self.fingerprint))
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

    def _by_index(
        self,
        nearest: Callable[[Embeddings, int], list[tuple[str, float]]],
        contents: Contents,
        query: Embeddings,
        k: int,
        exclude_ids: frozenset[str],
        exclude_groups: frozenset[str],
        usual: float,
    ) -> list[Neighbour]:
        """More are fetched than wanted and filtered here: Chroma's own filters are ten times slower.

        The index only proposes: similarities are those of the archive's own embeddings.
        """
        everything = len(contents)
        fetch = k + len(exclude_ids) + _MARGIN
        while fetch < everything:
            told = [(contents.position.get(one), similarity) for one, similarity in nearest(query, fetch)]
            found = [i for i, _ in told if i is not None]
            similarities = contents.embeddings[found] @ query
            if np.abs(similarities - [one for i, one in told if i is not None]).max(initial=0.0) > _SAME:
                break  # it holds other embeddings than the archive
            open_to = [
                contents.rows[i].neighbour(float(similarity))
                for i, similarity in zip(found, similarities, strict=True)
                if contents.rows[i].id not in exclude_ids and contents.rows[i].group not in exclude_groups
            ]
            if open_to and max(one.similarity for one in open_to) < usual:
                break
            if len(open_to) >= k:
                return nearest_first(open_to, k)
            fetch *= 4
        return contents.nearest(query, k, contents.mask(EVERYTHING, exclude_ids, exclude_groups))

    def _usual(self, contents: Contents) -> float:
        """How near the nearest case is as a rule; measured again when the archive has doubled."""
        with self._guard:
            if self._familiar is None or len(contents) >= 2 * self._familiar[0]:
                self._familiar = len(contents), least_usual_similarity(contents)
            return self._familiar[1]

    def _catch_up(self, most: int) -> None:
        with self._guard:
            if self._index is None and self.vectors.count(self.encoder) < self._index_from:
                return
            index = self._opened_index()
            if index is not None:
                with self._expendable():
                    index.catch_up(most)

    def _current_index(self, cases: int) -> "Index | None":
        """The index, up to date; None for few cases, and where another process has it or it is far behind."""
        if not cases or cases < self._index_from:
            return None
        with self._guard:
            index = self._opened_index()
            if index is None or index.upto >= self._stamp:
                return index
            if self.vectors.count_after(self.encoder, index.upto) > INDEX_LAG:
                return None
            with self._expendable():
                index.catch_up(INDEX_LAG)
            return self._index

    def _opened_index(self) -> "Index | None":
        if self._index is None and self._wants_index:
            folder = self.folder / INDEXES / str(self.encoder)
            from doubleread.rag.stores.index import Index  # noqa: PLC0415 - Chroma takes a second to load

            with self._expendable():
                self._index = Index.open(folder, self._state(), partial(self.vectors.after, self.encoder, self.dim))
            self._wants_index = self._index is not None
        return self._index

    def _state(self) -> str:
        """What an index is of: an encoder, and the last time that cases were erased."""
        return f"{self.fingerprint} {self.file.about(ERASED) or 0}"

    def _drop_index(self) -> None:
        index, self._index, self._wants_index = self._index, None, False
        if index is not None:
            with suppress(StoreError):  # it is built again
                index.close()

    @contextmanager
    def _expendable(self) -> Iterator[None]:
        """Where the index fails, this object does without: what was stored is stored, and searches are exact."""
        try:
            yield
        except StoreError as error:
            _log.warning("the archive %s is searched without its index: %s", self.folder, error)
            self._drop_index()

    def _check_writable(self) -> None:
        if self.read_only:
            raise StoreError(f"the archive {self.folder} was opened read-only: open it for writing to change it")


def held_encoder(folder: Path) -> EncoderRow | None:
    """The encoder that an archive is searched by; None where it was begun and nothing has been stored yet."""
    file = LedgerFile(folder, create=False)
    try:
        active = file.about(ACTIVE)
        return next((row for row in LedgerEmbeddings(file).encoders() if row.fingerprint == active), None)
    finally:
        file.close()


def begun(folder: Path) -> str:
    """What to say of an archive in which nothing has been stored yet."""
    return (
        f"the archive {folder} was begun and holds no embeddings yet: give `doubleread cases add {folder} DATA` "
        "(again), it goes on from there"
    )
