"""Checks an archive for damage: its seal, the chain of changes, the current cases and the embeddings."""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import numpy as np

from doubleread.core.errors import StoreError
from doubleread.core.stored import StoredCase
from doubleread.rag.stores.archive import INDEXES
from doubleread.rag.stores.contents import CaseRow
from doubleread.rag.stores.index import was_altered
from doubleread.rag.stores.ledger_file import LedgerFile
from doubleread.rag.stores.seal import CASE_COLUMNS, START, Sum, case_digest, chained, count_rows, embedding_digest

_AT_ONCE = 5000
_UNIT = 1e-3
"""Largest deviation of a row's length from 1."""
_PAGES = 20
"""Largest number of page faults listed from SQLite's own check."""


def audit_file(file: LedgerFile) -> list[str]:
    """Returns every problem of an archive's file as text; empty if there is none. Reads the whole file."""
    checks = (_seal, audit_tables, _digests, _indexes)
    return list(dict.fromkeys(line for check in checks for line in _told(check, file)))


def audit_tables(file: LedgerFile) -> Iterator[str]:
    """Yields the problems of the tables themselves, whether or not their rows have digests."""
    for check in (_pages, _chain, _snapshots, _copies, _strays):
        yield from _told(check, file)
    for number, fingerprint, dim in file.ask("select number, fingerprint, dim from encoders order by number"):
        yield from _told(partial(_embeddings, encoder=number, fingerprint=fingerprint, dim=dim), file)


def _told(check: Callable[[LedgerFile], Iterable[str]], file: LedgerFile) -> Iterator[str]:
    """Yields what a check finds, and the error that stopped it, if any."""
    try:
        yield from check(file)
    except StoreError as error:
        yield str(error).partition(". `doubleread")[0]
    except (ValueError, TypeError, OverflowError) as error:
        yield f"{file.path} holds values that cannot be read ({type(error).__name__})"


def _seal(file: LedgerFile) -> Iterable[str]:
    with file.reading() as (db, seal):
        count_rows(db, seal)
    return ()


def _pages(file: LedgerFile) -> Iterator[str]:
    """Runs SQLite's own check of its pages and indexes."""
    try:
        found = [str(line) for (line,) in file.db.execute(f"pragma integrity_check({_PAGES})")]
    except sqlite3.Error as error:
        found = [str(error)]
    yield from (f"{file.path}: {' '.join(line.split())}" for line in found if line != "ok")


def _chain(file: LedgerFile) -> Iterator[str]:
    """Recomputes the chain up to the first change that does not fit, and finds lost records."""
    digest, last = START, 0
    for *values, told in file.ask("select * from changes order by seq"):
        seq, _, what, one, _, _, record = values
        broken = chained(digest, values) != told and (record is not None or what == "erased")
        if broken or seq != last + 1:
            yield f"the archive {file.folder} was altered from outside: change {seq} ({what} {str(one)[:12]})"
            break
        digest, last = told, seq
    wiped = (
        "select seq, what, id from changes c where record is null and what != 'erased' and not exists "
        "(select 1 from changes e where e.id = c.id and e.what = 'erased' and e.seq > c.seq) order by seq"
    )
    for seq, what, one in file.ask(wiped):
        yield f"change {seq} ({what} {str(one)[:12]}) lost its record although the case was not erased"


def _snapshots(file: LedgerFile) -> Iterator[str]:
    query = (
        "select s.name from snapshots s left join changes c on c.seq = s.seq "
        "where s.seq > 0 and c.digest is not s.digest order by s.name"
    )
    yield from (f"snapshot {name!r} names a state that the archive never had" for (name,) in file.ask(query))


def _copies(file: LedgerFile) -> Iterator[str]:
    """Checks that the cases that searches read match the last changes."""
    query = (
        "select c.id, c.label, c.grp, c.split, c.source, c.path, c.tags, c.added, c.hash, c.removed, "
        "h.record from cases c left join changes h on h.seq = c.seq and h.id = c.id and not exists "
        "(select 1 from changes n where n.id = c.id and n.seq > c.seq) order by c.id"
    )
    for one, label, group, split, source, path, tags, added, seen, removed, record in file.ask(query):
        if record is None:
            yield f"case {one[:12]} has no change that tells of it"
            continue
        stored = StoredCase.model_validate_json(record)
        told = CaseRow.of(stored)
        there = (one, label, group, split, source, path, tuple(json.loads(tags)), added, seen, bool(removed))
        if there != (*told[:6], told.tags, told.added, told.perceptual_hash, stored.removed):
            yield f"case {one[:12]} is searched as {label!r}, group {group!r}, and its last change says otherwise"
    lost = (
        "select id from changes h where what != 'erased' and seq = (select max(seq) from changes where id = h.id) "
        "and not exists (select 1 from cases c where c.id = h.id) order by id"
    )
    yield from (f"case {str(one)[:12]} is on record and not among the cases" for (one,) in file.ask(lost))


def _strays(file: LedgerFile) -> Iterator[str]:
    query = (
        "select count(*), encoder from embeddings where encoder not in (select number from encoders) group by encoder"
    )
    for n, encoder in file.ask(query):
        yield f"{n:,} embeddings belong to encoder {encoder}, which the archive does not know"


def _embeddings(file: LedgerFile, encoder: int, fingerprint: str, dim: int) -> Iterator[str]:
    size, stamp = dim * 4, 0
    while True:
        rows = file.ask(
            "select stamp, id, row, (select 1 from cases c where c.id = e.id) from embeddings e "
            "not indexed where encoder = ? and stamp > ? order by stamp limit ?",
            [encoder, stamp, _AT_ONCE],
        )
        if not rows:
            return
        stamp = rows[-1][0]
        whole = [row for row in rows if len(row[2]) == size]
        values = np.frombuffer(b"".join(row[2] for row in whole), np.float32).reshape(-1, dim)
        lengths = np.linalg.norm(values.astype(float), axis=1)
        bad = {row[1] for row, length in zip(whole, lengths, strict=True) if not abs(length - 1) <= _UNIT}
        for _, one, row, there in rows:
            who = f"the embedding of case {one[:12]} by {fingerprint}"
            if len(row) != size:
                yield f"{who} has {len(row)} bytes instead of {size}"
            elif one in bad:
                yield f"{who} is not finite or not of length 1"
            if not there:
                yield f"{who} belongs to no case"


def _digests(file: LedgerFile) -> Iterator[str]:
    """Checks every row against its digest, and the sums of digests against the seal."""
    with file.reading() as (db, seal):
        cases, embeddings = Sum(), dict[int, Sum]()
        for *case, told in db.execute(f"select {CASE_COLUMNS}, digest from cases"):  # noqa: S608 - constants
            if case_digest(case) != told:
                yield f"case {str(case[0])[:12]} is not what was stored"
            cases = cases.plus([case_digest(case)])
        for encoder, stamp, one, row, told in db.execute("select encoder, stamp, id, row, digest from embeddings"):
            digest = embedding_digest(encoder, stamp, one, row)
            if digest != told:
                yield f"the embedding of case {str(one)[:12]} by encoder {encoder} is not what was stored"
            embeddings[encoder] = embeddings.get(encoder, Sum()).plus([digest])
        if cases != seal.cases:
            yield "cases were changed, lost or added since the last change on record"
        if embeddings != {number: one for number, one in seal.embeddings.items() if one.rows}:
            yield "embeddings were changed, lost or added since the last change on record"


def _indexes(file: LedgerFile) -> Iterable[str]:
    altered = [folder for folder in sorted((file.folder / INDEXES).glob("*")) if was_altered(folder)]
    return [f"{folder} is not as it was closed; it is built again when it is next used" for folder in altered]
