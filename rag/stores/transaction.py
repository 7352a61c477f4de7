"""Changes of an archive's tables that also update its seal."""

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
    """Begun and committed by ``LedgerFile.writing``. Raises ``Damaged`` if the file does not match its seal."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db, self._seal = db, read_seal(db)

    @property
    def head(self) -> Version:
        return self._seal.head

    def change(self, time: str, what: str, case_id: str, reviewer: str, note: str, record: str | None) -> int:
        """Appends a change to the chain and returns its number."""
        values = [self.head.seq + 1, time, what, case_id, reviewer, note, record]
        digest = chained(self.head.digest, values)
        self.db.execute("insert into changes values (?,?,?,?,?,?,?,?)", (*values, digest))
        self._seal.head = Version(seq=self.head.seq + 1, digest=digest)
        return self.head.seq

    def tell(self, key: str, value: str) -> None:
        """Stores a value about the archive itself."""
        self.db.execute("insert or replace into about values (?,?)", (key, value))

    def put_cases(self, rows: Sequence[Sequence[Any]]) -> None:
        """Writes rows in the order of ``CASE_COLUMNS``, replacing those of the same id."""
        made = {row[0]: (*row, case_digest(row)) for row in rows}
        self._forget_cases(list(made))
        self.db.executemany(_CASES, made.values())
        self._seal.cases = self._seal.cases.plus(row[-1] for row in made.values())

    def put_embeddings(self, encoder: int, ids: Sequence[str], embeddings: Embeddings) -> None:
        """Writes an encoder's rows ``(len(ids), dim)``, replacing earlier ones."""
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
        """Deletes cases from every table and wipes their past records; only their existence stays recorded."""
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
        """Deletes an encoder with its embeddings."""
        self.db.execute("delete from embeddings where encoder = ?", (number,))
        self.db.execute("delete from encoders where number = ?", (number,))
        self._seal.embeddings.pop(number, None)

    def seal(self) -> None:
        """Writes the seal; call it before the commit."""
        write_seal(self.db, self._seal)

    def _forget_cases(self, ids: Sequence[str]) -> None:
        for part in parts(ids):
            query = f"select digest from cases where id in ({marks(part)})"  # noqa: S608 - marks only
            self._seal.cases = self._seal.cases.minus(one for (one,) in self.db.execute(query, part))

    def _forget_embeddings(self, ids: Sequence[str], encoder: int | None) -> None:
        """Subtracts the digests from the sums of one encoder, or of all."""
        for part in parts(ids):
            query = f"select encoder, digest from embeddings where id in ({marks(part)})"  # noqa: S608 - marks only
            if encoder is not None:
                query = f"{query} and encoder = {encoder:d}"
            for number, digest in self.db.execute(query, part).fetchall():
                self._seal.embeddings[number] = self._seal.embeddings.get(number, Sum()).minus([digest])


def parts(ids: Sequence[str]) -> list[Sequence[str]]:
    """Splits ids into batches that fit into one statement."""
    return [ids[start : start + _AT_ONCE] for start in range(0, len(ids), _AT_ONCE)]


def marks(ids: Sequence[object]) -> str:
    """Returns comma-separated question marks, one for each id."""
    return ",".join("?" * len(ids))
