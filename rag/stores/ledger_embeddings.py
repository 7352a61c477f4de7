"""The embeddings in an archive, of one or several encoders."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from doubleread.core.stored import StoredCase
from doubleread.core.types import Embeddings
from doubleread.rag.stores._loading import checked_digests, unit_blocks
from doubleread.rag.stores.ledger_file import OF_CASES, LedgerFile
from doubleread.rag.stores.seal import Sum
from doubleread.rag.stores.transaction import Transaction, marks, parts

_NUMBERED = "numbered"
"""Key of the highest number that an encoder ever had: no number is reused."""


class EncoderRow(NamedTuple):
    """An encoder whose embeddings the archive holds."""

    number: int
    fingerprint: str
    dim: int
    name: str
    cases: int


class LedgerEmbeddings:
    """Unit-length rows by encoder and case. Raises ``StoreError`` if the disk fails."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    def embed(self, encoder: int, ids: Sequence[str], embeddings: Embeddings) -> None:
        """Stores an encoder's embeddings of existing cases, replacing earlier ones."""
        with self._file.writing() as step:
            step.put_embeddings(encoder, ids, embeddings)

    def encoder(self, fingerprint: str, dim: int, name: str = "") -> int:
        """Returns the number of an encoder; a new encoder is assigned one."""
        known = {row.fingerprint: row for row in self.encoders()}
        if fingerprint in known:
            return known[fingerprint].number
        with self._file.writing() as step:
            return add_encoder(step, fingerprint, dim, name)

    def drop_encoder(self, number: int) -> None:
        """Deletes an encoder and its embeddings."""
        with self._file.writing() as step:
            step.drop_encoder(number)

    def stored_embeddings(self, encoder: int, ids: Sequence[str]) -> dict[str, Embeddings]:
        """Returns embeddings by case id, for the cases that have one."""
        query = "select stamp, id, row, digest from embeddings where encoder = ? and id in"
        with self._file.mapped("read"):
            found = [
                row
                for part in parts(list(dict.fromkeys(ids)))
                for row in self._file.ask(f"{query} ({marks(part)})", [encoder, *part])
            ]
            checked_digests(found, encoder)
        return {case_id: np.frombuffer(row, np.float32) for _, case_id, row, _ in found}

    def without_embedding(self, encoder: int) -> list[StoredCase]:
        """Returns cases, not removed, that an encoder has not encoded yet."""
        return self._file.records(
            f"{OF_CASES} where not c.removed and not exists "  # noqa: S608 - constants
            "(select 1 from embeddings e where e.encoder = ? and e.id = c.id) order by c.id",
            [encoder],
        )

    def after(self, encoder: int, dim: int, stamp: int, most: int) -> tuple[list[int], list[str], Embeddings]:
        """Returns stamps, ids and embeddings of at most ``most`` rows of an encoder after a stamp, ordered by stamp."""
        with self._file.mapped("read"):
            found = self._file.ask(
                "select stamp, id, row, digest from embeddings not indexed where encoder = ? and stamp > ? "
                "order by stamp limit ?",
                [encoder, stamp, most],
            )
            checked_digests(found, encoder)
            return [one[0] for one in found], [one[1] for one in found], unit_blocks([one[2] for one in found], dim)

    def count(self, encoder: int) -> int:
        """Returns the number of rows of an encoder, including those of removed cases."""
        return int(self._file.ask("select count(*) from embeddings where encoder = ?", [encoder])[0][0])

    def count_after(self, encoder: int, stamp: int) -> int:
        """Returns the number of rows of an encoder after a stamp."""
        query = "select count(*) from embeddings not indexed where encoder = ? and stamp > ?"
        found = self._file.ask(query, [encoder, stamp])
        return int(found[0][0])

    def encoders(self) -> list[EncoderRow]:
        """Returns every encoder with the number of cases it has encoded."""
        with self._file.reading() as (db, seal):
            found = db.execute("select number, fingerprint, dim, name from encoders order by number").fetchall()
            return [EncoderRow._make((*row, seal.embeddings.get(row[0], Sum()).rows)) for row in found]


def add_encoder(step: Transaction, fingerprint: str, dim: int, name: str) -> int:
    """Returns the number of an encoder, adding it if new; for use inside a transaction."""
    found = step.db.execute("select number from encoders where fingerprint = ?", (fingerprint,)).fetchone()
    if found:
        return int(found[0])
    numbers = "select number from encoders union all select cast(value as integer) from about where key = ?"
    (last,) = step.db.execute(f"select max(number) from ({numbers})", (_NUMBERED,)).fetchone()  # noqa: S608
    number = int(last or 0) + 1
    step.db.execute("insert into encoders values (?,?,?,?)", (number, fingerprint, dim, name))
    step.tell(_NUMBERED, str(number))
    return number
