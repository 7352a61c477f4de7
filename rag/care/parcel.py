"""Copies cases, with the embeddings of every encoder, from one archive into another."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from doubleread.core.errors import EncoderMismatch, StoreError
from doubleread.core.stored import StoredCase
from doubleread.core.types import Embeddings
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.ledger import CaseEvent


@dataclass(frozen=True, eq=False)
class Parcel:
    """Cases, and each encoder's rows ``(len(cases), dim)`` in the same order, NaN where there is none."""

    cases: Sequence[StoredCase]
    rows: dict[str, Embeddings]
    """Rows by the encoder's fingerprint."""


class Conflict(NamedTuple):
    """A case that both archives have with different labels, or that was removed in one."""

    case_id: str
    ours: str
    theirs: str


class Taken(NamedTuple):
    """The result of a merge."""

    added: int
    same: int
    conflicts: tuple[Conflict, ...]
    without: tuple[str, ...]
    """Ids of new cases that were left out because the active encoder has no embedding of them."""
    repeated: tuple[str, ...] = ()
    """Ids given more than once; only the first was used."""


def parcel_of(archive: Archive) -> Parcel:
    """Returns every case of an archive that is not removed, ordered by id."""
    cases = archive.ledger.records()
    ids, rows = [one.case.id for one in cases], {}
    for encoder in archive.encoders():
        had = archive.vectors.stored_embeddings(encoder.number, ids)
        none = np.full(encoder.dim, np.nan, np.float32)
        stacked = [had.get(one, none) for one in ids]
        rows[encoder.fingerprint] = np.stack(stacked) if stacked else np.zeros((0, encoder.dim), np.float32)
    return Parcel(cases, rows)


def take(archive: Archive, parcel: Parcel, origin: str, *, theirs: bool = False, reviewer: str = "") -> Taken:
    """Adds the cases that the archive lacks, with their embeddings; nothing is encoded.

    Where labels differ, or the archive had removed the case, the archive's version stays unless ``theirs``. Raises
    ``EncoderMismatch`` if the archive's active encoder has not encoded the cases.
    """
    if archive.fingerprint not in parcel.rows:
        held = ", ".join(parcel.rows) or "no encoder"
        raise EncoderMismatch(
            f"the archive {archive.folder} is searched by {archive.fingerprint}, and {origin} holds embeddings of "
            f"{held}: encode one of them anew with `doubleread cases reencode`, then switch with `doubleread cases use`"
        )
    parcel, repeated = _distinct(parcel)
    rows = parcel.rows[archive.fingerprint]
    there = {one.case.id: one for one in archive.ledger.records([one.case.id for one in parcel.cases], removed=True)}
    new = [i for i, one in enumerate(parcel.cases) if one.case.id not in there]
    ready = [i for i in new if np.isfinite(rows[i]).all()]
    arriving = [one.model_copy(update={"origin": one.origin or origin}) for one in (parcel.cases[i] for i in ready)]
    archive.put(arriving, rows[ready], reviewer=reviewer)
    conflicts = tuple(_conflicts(parcel, there))
    if theirs:
        judged = {one.case.id: one for one in parcel.cases}
        archive.write([_theirs(there[one.case_id], judged[one.case_id], reviewer, origin) for one in conflicts])
    _complete(archive, parcel)
    without = tuple(parcel.cases[i].case.id for i in sorted(set(new) - set(ready)))
    return Taken(len(ready), len(parcel.cases) - len(new) - len(conflicts), conflicts, without, repeated)


def _distinct(parcel: Parcel) -> tuple[Parcel, tuple[str, ...]]:
    """Returns the first of each case, and the ids of the duplicates."""
    ids = [one.case.id for one in parcel.cases]
    first = {one: i for i, one in reversed(list(enumerate(ids)))}
    if len(first) == len(ids):
        return parcel, ()
    kept = sorted(first.values())
    rows = {name: values[kept] for name, values in parcel.rows.items()}
    repeated = tuple(one for one, times in Counter(ids).items() if times > 1)
    return Parcel([parcel.cases[i] for i in kept], rows), repeated


def _conflicts(parcel: Parcel, there: dict[str, StoredCase]) -> list[Conflict]:
    pairs = [(there[one.case.id], one) for one in parcel.cases if one.case.id in there]
    return [
        Conflict(our.case.id, f"{our.label}, removed" if our.removed else our.label, their.label)
        for our, their in pairs
        if our.removed or our.label != their.label
    ]


def _theirs(our: StoredCase, their: StoredCase, reviewer: str, origin: str) -> CaseEvent:
    case = our.case.model_copy(update={"label": their.label})
    after = our.model_copy(update={"case": case, "removed": False, "reviewer": their.reviewer or our.reviewer})
    return CaseEvent("restored" if our.removed else "relabelled", after, reviewer, f"as in {origin}")


def _complete(archive: Archive, parcel: Parcel) -> None:
    """Takes over missing embeddings of encoders that both archives have."""
    for encoder in archive.encoders():
        rows = parcel.rows.get(encoder.fingerprint)
        if rows is None or not len(rows):
            continue
        lacking = {one.case.id for one in archive.vectors.without_embedding(encoder.number)}
        wanted = [i for i, one in enumerate(parcel.cases) if one.case.id in lacking and np.isfinite(rows[i]).all()]
        archive.vectors.embed(encoder.number, [parcel.cases[i].case.id for i in wanted], rows[wanted])


def merge(archive: Archive, other: Archive, *, theirs: bool = False, reviewer: str = "") -> Taken:
    """Adds another archive's cases. Raises ``EncoderMismatch``, and ``StoreError`` for an archive and itself."""
    if archive.folder == other.folder:
        raise StoreError(f"{archive.folder} was named twice: name two archives")
    return take(archive, parcel_of(other), other.folder.name, theirs=theirs, reviewer=reviewer)
