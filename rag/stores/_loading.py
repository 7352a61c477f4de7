"""Reads the data for searches from an archive's file and verifies each row against its digest."""

import gc
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from doubleread.core.types import Embeddings
from doubleread.rag.stores.contents import CaseRow
from doubleread.rag.stores.seal import CASE_COLUMNS, ArchiveSeal, Damaged, Sum, case_digest, embedding_digest

_AT_ONCE = 1000
_NEW = tuple.__new__
"""Creates a row twice as fast as calling its class."""
_UNIT = 2e-3
"""Largest deviation of a row's squared length from 1."""


class Delta(NamedTuple):
    """Changes since a reader last read."""

    rows: list[CaseRow]
    embeddings: Embeddings
    gone: frozenset[str]
    seq: int
    stamp: int


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Pauses garbage collection: loaded rows stay alive, and scanning them repeatedly takes a tenth of the time."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@_no_garbage()
def everything(db: sqlite3.Connection, seal: ArchiveSeal, encoder: int, dim: int) -> Delta:
    """Reads everything in two sequential scans: looking up each case is many times slower on a cold disk.

    Raises ``Damaged`` if the sums of the digests differ from the seal.
    """
    known = _cases(db, seal)
    sealed = seal.embeddings.get(encoder, Sum())
    rows, embeddings, stamp, found = list[CaseRow](), np.empty((sealed.rows, dim), np.float32), 0, Sum()
    cursor = db.execute(
        "select stamp, id, row, digest from embeddings not indexed where encoder = ? order by stamp", (encoder,)
    )
    while block := cursor.fetchmany(_AT_ONCE):
        found = found.plus(checked_digests(block, encoder))
        stamps = [stamp, *(one[0] for one in block)]
        if found.rows > sealed.rows or sorted(stamps) != stamps:
            raise Damaged("it holds embeddings that were not stored, or in another order")
        units, here = unit_blocks([one[2] for one in block], dim), [known.get(one[1]) for one in block]
        there = [row for row in here if row is not None]
        lacking = len(there) < len(here)
        embeddings[len(rows) : len(rows) + len(there)] = units[[row is not None for row in here]] if lacking else units
        rows += there
        stamp = block[-1][0]
    if found != sealed or len({row.id for row in rows}) < len(rows):
        raise Damaged("embeddings were lost, added or exchanged")
    return Delta(rows, embeddings[: len(rows)], frozenset(), seal.head.seq, stamp)


def changed(db: sqlite3.Connection, seal: ArchiveSeal, encoder: int, dim: int, seq: int, stamp: int) -> Delta:
    """Reads only what has changed."""
    columns = ", ".join(f"c.{one}" for one in CASE_COLUMNS.split(", "))
    found = db.execute(
        f"select e.stamp, e.id, e.row, e.digest, {columns}, c.digest from (select id from cases where seq > ? union "  # noqa: S608
        "select id from embeddings not indexed where stamp > ? and encoder = ?) d cross join cases c on c.id = d.id "
        "cross join embeddings e on e.encoder = ? and e.id = d.id where not c.removed order by e.stamp",
        (seq, stamp, encoder, encoder),
    ).fetchall()
    checked_digests([one[:4] for one in found], encoder)
    for one in found:
        _check_case(one[4:])
    gone = db.execute(
        "select id from changes where seq > ? and (what = 'removed' or what = 'erased')", (seq,)
    ).fetchall()
    last = max((one[0] for one in found), default=0)
    rows, units = [_row(one[4:]) for one in found], unit_blocks([one[2] for one in found], dim)
    return Delta(rows, units, frozenset(one for (one,) in gone), seal.head.seq, max(stamp, last))


def unit_blocks(rows: Sequence[bytes], dim: int) -> Embeddings:
    """Returns stored rows as ``(n, dim)``; raises ``Damaged`` for other lengths and values that are not finite."""
    if any(len(row) != 4 * dim for row in rows):
        raise Damaged("an embedding has another length than its encoder's")
    made: Embeddings = np.frombuffer(b"".join(rows), np.float32).reshape(-1, dim)
    if not (np.abs(np.einsum("ij,ij->i", made, made) - 1) <= _UNIT).all():
        raise Damaged("an embedding is not finite or not of length 1")
    return made


def _cases(db: sqlite3.Connection, seal: ArchiveSeal) -> dict[str, CaseRow]:
    """Returns the cases that are not removed."""
    known, found = dict[str, CaseRow](), Sum()
    cursor = db.execute(f"select {CASE_COLUMNS}, digest from cases")  # noqa: S608 - constants
    while block := cursor.fetchmany(_AT_ONCE):
        for one in block:
            _check_case(one)
        found = found.plus([one[11] for one in block])
        known.update((one[0], _row(one)) for one in block if not one[9])
    if found != seal.cases:
        raise Damaged("cases were lost or added")
    return known


def _check_case(one: Sequence[Any]) -> None:
    if case_digest(one[:11]) != one[11]:
        raise Damaged(f"case {str(one[0])[:12]} is not what was stored")


def checked_digests(block: Sequence[tuple[Any, ...]], encoder: int) -> list[bytes]:
    """Returns the digests of stamps, ids, rows and stored digests; raises ``Damaged`` on a mismatch."""
    for stamp, one, row, digest in block:
        if embedding_digest(encoder, stamp, one, row) != digest:
            raise Damaged(f"the embedding of case {str(one)[:12]} is not what was stored")
    return [one[3] for one in block]


def _row(one: Sequence[Any]) -> CaseRow:
    tags = () if one[6] == "[]" else tuple(json.loads(one[6]))
    return _NEW(CaseRow, (one[0], one[1], one[2], one[3], one[4], one[5], tags, one[7], one[8]))
