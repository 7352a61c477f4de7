"""Changes of an archive's tables that keep its seal in step."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import numpy as np

from doubleread.core.stored import Version
from doubleread.core.types import Embeddings
from doubleread.rag.stores.seal import CASE_COLUMNS, Sum, case_digest, chained, embedding_digest, read_seal, write_seal

_AT_ONCE = 500
_CASES = f"insert or replace into cases ({CASE_COLUMNS}, digest) values ({','.join('?' * 12)})"  # noqa: S608 - a constant


class Transaction:
    """Begun and committed by ``LedgerFile.writing``. Raises ``Damaged`` for a file that its seal does not fit."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db, self._seal = db, read_seal(db)

    @property
    def head(self) -> Version:
        return self._seal.head

    def change(self, time: str, what: str, case_id: str, reviewer: str, note: str, record: str | None) -> int:
        """Adds a link to the chain; returns its number."""
        values = [self.head.seq + 1, time, what, case_id, reviewer, note, record]
        digest = chained(self.head.digest, values)
        self.db.execute("insert into changes values (?,?,?,?,?,?,?,?)", (*values, digest))
        self._seal.head = Version(seq=self.head.seq + 1, digest=digest)
        return self.head.seq

    def tell(self, key: str, value: str) -> None:
        """Keeps something about the archive itself."""
        self.db.execute("insert or replace into about values (?,?)", (key, value))

    def put_cases(self, rows: Sequence[Sequence[Any]]) -> None:
        """Rows in the order of ``CASE_COLUMNS``, in place of those of the same id."""
        made = {row[0]: (*row, case_digest(row)) for row in rows}
        self._forget_cases(list(made))
        self.db.executemany(_CASES, made.values())
        self._seal.cases = self._seal.cases.plus(row[-1] for row in made.values())

    def put_embeddings(self, encoder: int, ids: Sequence[str], embeddings: Embeddings) -> None:
        """An encoder's rows ``(len(ids), dim)`` in place of those it had."""
        rows = dict(zip(ids, np.ascontiguousarray(embeddings, np.float32), strict=True))
        self._forget_embeddings(list(rows), encoder)
        made = []
        for stamp, (one, values) in enumerate(rows.items(), start=self._seal.stamp + 1):
            row = values.tobytes()
            made.append((stamp, encoder, one, row, embedding_digest(encoder, stamp, one, row)))
        self.db.executemany(
            "insert or replace into embeddings (stamp, encoder, id, row, digest) values (?,?,?,?,?)", made
        )
        self._seal.stamp += len(made)
        sums = self._seal.embeddings
        sums[encoder] = sums.get(encoder, Sum()).plus(row[-1] for row in made)

    def erase(self, ids: Sequence[str]) -> None:
        """Takes cases out of every table but that they were there; records of the past are wiped."""
        self._forget_cases(ids)
        self._forget_embeddings(ids, None)
        for part in parts(ids):
            for statement in (
                "update changes set record = null where id in",
                "delete from cases where id in",
                "delete from embeddings where id in",
            ):
                self.db.execute(f"{statement} ({marks(part)})", part)

    def drop_encoder(self, number: int) -> None:
        """Takes an encoder out, with its embeddings."""
        self.db.execute("delete from embeddings where encoder = ?", (number,))
        self.db.execute("delete from encoders where number = ?", (number,))
        self._seal.embeddings.pop(number, None)

    def seal(self) -> None:
        """Before the commit."""
        write_seal(self.db, self._seal)

    def _forget_cases(self, ids: Sequence[str]) -> None:
        for part in parts(ids):
            query = f"select digest from cases where id in ({marks(part)})"  # noqa: S608 - marks only
            self._seal.cases = self._seal.cases.minus(one for (one,) in self.db.execute(query, part))

    def _forget_embeddings(self, ids: Sequence[str], encoder: int | None) -> None:
        """Takes their digests out of the sums, of one encoder or of all."""
        for part in parts(ids):
            query = f"select encoder, digest from embeddings where id in ({marks(part)})"  # noqa: S608 - marks only
            if encoder is not None:
                query = f"{query} and encoder = {encoder:d}"
            for number, digest in self.db.execute(query, part).fetchall():
                self._seal.embeddings[number] = self._seal.embeddings.get(number, Sum()).minus([digest])


def parts(ids: Sequence[str]) -> list[Sequence[str]]:
    """As many ids as one statement may name."""
    return [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]


def marks(ids: Sequence[object]) -> str:
    """A question mark for each."""
    return ",".join("?" * len(ids))
