"""The embeddings in an archive: of one encoder or of several, side by side."""

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from doubleread.core.stored import StoredCase
from doubleread.core.types import Embeddings
from doubleread.rag.stores.ledger_file import LedgerFile, parts

_NUMBERED = "numbered"
"""Under this the file keeps the highest number that an encoder ever had: none is given twice."""


class EncoderRow(NamedTuple):
    """An encoder whose embeddings the archive holds."""

    number: int
    fingerprint: str
    dim: int
    name: str
    cases: int


class LedgerEmbeddings:
    """Rows of unit length by encoder and case. Raises ``StoreError`` for whatever the disk refuses."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def embed(self, encoder: int, ids: Sequence[str], embeddings: Embeddings) -> None:
        """Keeps an encoder's embeddings of cases that are there; those it had are replaced."""
        with self._file.writing() as db:
            put_embeddings(db, encoder, ids, embeddings)

    def encoder(self, fingerprint: str, dim: int, name: str = "") -> int:
        """The number of an encoder, given one if it is new."""
        known = {row.fingerprint: row for row in self.encoders()}
        if fingerprint in known:
            return known[fingerprint].number
        with self._file.writing() as db:
            found = db.execute("select number from encoders where fingerprint = ?", (fingerprint,)).fetchone()
            if found:
                return int(found[0])
            numbers = "select number from encoders union all select cast(value as integer) from about where key = ?"
            (last,) = db.execute(f"select max(number) from ({numbers})", (_NUMBERED,)).fetchone()  # noqa: S608
            number = int(last or 0) + 1
            db.execute("insert into encoders values (?,?,?,?)", (number, fingerprint, dim, name))
            db.execute("insert or replace into about values (?,?)", (_NUMBERED, str(number)))
            return number

    def drop_encoder(self, number: int) -> None:
        """Forgets an encoder and its embeddings."""
        with self._file.writing() as db:
            db.execute("delete from embeddings where encoder = ?", (number,))
            db.execute("delete from encoders where number = ?", (number,))

    def stored_embeddings(self, encoder: int, ids: Sequence[str]) -> dict[str, Embeddings]:
        """Embeddings by case id, for those that have one."""
        found = [
            row
            for part in parts(list(dict.fromkeys(ids)))
            for row in self._file.ask(
                f"select id, row from embeddings where encoder = ? and id in ({','.join('?' * len(part))})",  # noqa: S608
                [encoder, *part],
            )
        ]
        return {case_id: np.frombuffer(blob, np.float32) for case_id, blob in found}

    def without_embedding(self, encoder: int) -> list[StoredCase]:
        """Cases, not removed, that an encoder has not encoded yet."""
        found = self._file.ask(
            "select h.record from cases c join changes h on h.seq = c.seq where not c.removed and not exists "
            "(select 1 from embeddings e where e.encoder = ? and e.id = c.id) order by c.id",
            [encoder],
        )
        return [StoredCase.model_validate_json(record) for (record,) in found]

    def after(self, encoder: int, dim: int, stamp: int, most: int) -> tuple[list[int], list[str], Embeddings]:
        """Stamps, ids and embeddings of an encoder's rows in the order they came, at most so many."""
        found = self._file.ask(
            "select stamp, id, row from embeddings not indexed where encoder = ? and stamp > ? order by stamp limit ?",
            [encoder, stamp, most],
        )
        rows = np.frombuffer(b"".join(row for _, _, row in found), np.float32).reshape(-1, dim)
        return [s for s, _, _ in found], [i for _, i, _ in found], rows

    def count(self, encoder: int) -> int:
        """How many rows an encoder has, those of removed cases included."""
        return int(self._file.ask("select count(*) from embeddings where encoder = ?", [encoder])[0][0])

    def count_after(self, encoder: int, stamp: int) -> int:
        """How many rows an encoder has after a stamp."""
        query = "select count(*) from embeddings not indexed where encoder = ? and stamp > ?"
        found = self._file.ask(query, [encoder, stamp])
        return int(found[0][0])

    def encoders(self) -> list[EncoderRow]:
        """Every encoder and how many cases it has encoded."""
        found = self._file.ask(
            "select n.number, n.fingerprint, n.dim, n.name, (select count(*) from embeddings e where e.encoder = "
            "n.number) from encoders n order by n.number"
        )
        return [EncoderRow(*row) for row in found]


def put_embeddings(db: sqlite3.Connection, encoder: int, ids: Sequence[str], embeddings: Embeddings) -> None:
    """Inside a transaction: rows ``(len(ids), dim)`` in place of those the encoder had."""
    rows = np.ascontiguousarray(embeddings, np.float32)
    db.executemany(
        "insert or replace into embeddings (encoder, id, row) values (?,?,?)",
        [(encoder, one, row.tobytes()) for one, row in zip(ids, rows, strict=True)],
    )
