"""The seal of an archive: digests that reveal damage and outside changes when data is read.

Every row of cases and embeddings has a digest. The seal holds the number and the sum of these digests, the last change
of the chain, and a digest of the small tables; it is updated in the transaction of every change. Row digests are
128-bit XXH3, ten times as fast as SHA-256. They detect damage and edits by other tools, not forgery: a forger can
recompute any digest.
"""

import hashlib
import json
import sqlite3
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from xxhash import xxh3_128_digest

from doubleread.core.stored import Version

START = "0" * 64
SEAL = "seal"
"""Key of the seal in the file."""
CASE_COLUMNS = "id, label, grp, split, source, path, tags, added, hash, removed, seq"
_MODULUS = 1 << 128
_NONE = "\1"
_NUMBERS = struct.Struct("<dqq").pack
_CHANGE = "select seq, time, what, id, reviewer, note, record, digest from changes"


def chained(before: str, values: Sequence[object]) -> str:
    """Returns the digest of the chain after ``values``, as sha256 in hex."""
    return hashlib.sha256(json.dumps([before, *values]).encode()).hexdigest()


class Damaged(Exception):
    """A mismatch in an archive's file; reported to users with the file's name."""


class Sum(NamedTuple):
    """Number and order-independent sum of row digests."""

    rows: int = 0
    total: int = 0

    def plus(self, digests: Iterable[bytes]) -> "Sum":
        numbers = [int.from_bytes(one, "big") for one in digests]
        return Sum(self.rows + len(numbers), (self.total + sum(numbers)) % _MODULUS)

    def minus(self, digests: Iterable[bytes]) -> "Sum":
        numbers = [int.from_bytes(one, "big") for one in digests]
        return Sum(self.rows - len(numbers), (self.total - sum(numbers)) % _MODULUS)


_NONE_YET = Sum()


@dataclass
class ArchiveSeal:
    """The expected state of the tables."""

    head: Version = field(default_factory=lambda: Version(seq=0, digest=START))
    stamp: int = 0
    """The last stamp given to an embedding."""
    cases: Sum = _NONE_YET
    embeddings: dict[int, Sum] = field(default_factory=dict)
    """Sums by the number of the encoder."""

    def values(self) -> list[Any]:
        sums = {str(number): [one.rows, f"{one.total:032x}"] for number, one in sorted(self.embeddings.items())}
        return [self.head.seq, self.head.digest, self.stamp, [self.cases.rows, f"{self.cases.total:032x}"], sums]

    @classmethod
    def of(cls, values: Sequence[Any]) -> "ArchiveSeal":
        """Parses JSON values; raises ``ValueError``, ``TypeError`` or ``KeyError`` for anything else."""
        seq, digest, stamp, cases, sums = values
        embeddings = {int(number): Sum(int(rows), int(total, 16)) for number, (rows, total) in sums.items()}
        return cls(Version(seq=seq, digest=digest), int(stamp), Sum(int(cases[0]), int(cases[1], 16)), embeddings)


def case_digest(one: Sequence[Any]) -> bytes:
    """Returns the digest of a case's row, in the order of ``CASE_COLUMNS``; empty, thus never valid, for bad values."""
    case_id, label, group, split, source, path, tags, added, seen, removed, seq = one
    texts = (
        case_id, label, source, tags, seen, _NONE if group is None else group, _NONE if split is None else split,
        _NONE if path is None else path,
    )  # fmt: skip
    try:
        return xxh3_128_digest("\0".join(texts).encode() + _NUMBERS(added, removed, seq))
    except (TypeError, struct.error):
        return b""


def embedding_digest(encoder: int, stamp: int, case_id: str, row: bytes) -> bytes:
    """Returns the digest of a row of embeddings; empty, thus never valid, for bad values."""
    try:
        return xxh3_128_digest(f"{encoder} {stamp} {case_id} ".encode() + row)
    except TypeError:
        return b""


def read_seal(db: sqlite3.Connection) -> ArchiveSeal:
    """Returns the seal after checking the small tables and the last change against it; raises ``Damaged``.

    Call it inside a transaction, so that no other process writes in between.
    """
    told = db.execute("select value from about where key = ?", (SEAL,)).fetchone()
    try:
        values, digest = json.loads(told[0])
        seal = ArchiveSeal.of(values)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise Damaged("it has no seal") from None
    if digest != _digest(db, seal):
        raise Damaged("its seal does not fit")
    if last_change(db) != seal.head:
        raise Damaged("its last change is not the one that was sealed")
    return seal


def write_seal(db: sqlite3.Connection, seal: ArchiveSeal) -> None:
    """Writes the seal, at the end of a transaction."""
    value = json.dumps([seal.values(), _digest(db, seal)])
    db.execute("insert or replace into about values (?,?)", (SEAL, value))


def last_change(db: sqlite3.Connection) -> Version:
    """Returns the end of the chain; raises ``Damaged`` if it does not follow from the change before."""
    found = db.execute(f"{_CHANGE} order by seq desc limit 2").fetchall()
    if not found:
        return Version(seq=0, digest=START)
    check_change(found[0], found[1][-1] if found[1:] else START)
    return Version(seq=found[0][0], digest=found[0][-1])


def check_change(change: Sequence[Any], before: object) -> None:
    """Raises ``Damaged`` if a change does not follow from the previous digest; wiped records cannot be checked."""
    *values, digest = change
    seq, _, what, case_id, _, _, record = values
    if (record is not None or what == "erased") and chained(str(before), values) != digest:
        raise Damaged(f"change {seq} ({what} {str(case_id)[:12]}) is not what was written")


def count_rows(db: sqlite3.Connection, seal: ArchiveSeal) -> None:
    """Raises ``Damaged`` if the number of rows is wrong; their contents are checked when they are read."""
    ((changes,),) = db.execute("select count(*) from changes").fetchall()
    ((cases,),) = db.execute("select count(*) from cases").fetchall()
    embeddings = dict(db.execute("select encoder, count(*) from embeddings group by encoder").fetchall())
    sealed = {number: one.rows for number, one in seal.embeddings.items() if one.rows}
    for what, there, told in (
        ("changes", changes, seal.head.seq),
        ("cases", cases, seal.cases.rows),
        ("embeddings", embeddings, sealed),
    ):
        if there != told:
            raise Damaged(f"it holds {_number(there)} {what} instead of {_number(told)}")


def _number(counted: int | dict[int, int]) -> str:
    return f"{counted if isinstance(counted, int) else sum(counted.values()):,}"


def _digest(db: sqlite3.Connection, seal: ArchiveSeal) -> str:
    """Returns the digest of the seal's values and of the small tables."""
    tables = [
        db.execute(query).fetchall()
        for query in (
            f"select key, value from about where key != '{SEAL}' order by key",  # noqa: S608 - a constant
            "select number, fingerprint, dim, name from encoders order by number",
            "select name, seq, digest, time, note from snapshots order by name",
        )
    ]
    return hashlib.sha256(json.dumps([seal.values(), tables], default=repr).encode()).hexdigest()
