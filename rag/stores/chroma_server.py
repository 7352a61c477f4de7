"""A case store on a Chroma server that several machines share.

The server is authoritative: each row carries its stored case. A copy in memory answers exact searches; it is updated
by the time stamps of the rows. A removed case stays as a hidden row.
"""

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import numpy as np

from doubleread.core.errors import EncoderMismatch, StoreError
from doubleread.core.stored import StoredCase
from doubleread.core.types import Embeddings
from doubleread.rag.stores.chroma import BATCH, Chroma, mapped
from doubleread.rag.stores.contents import CaseRow, Contents
from doubleread.rag.stores.ledger import event_of
from doubleread.rag.stores.store_base import MemoryStore
from doubleread.rag.stores.stored_rows import checked_rows, differs, unit_rows

SCHEMA = 1
_PAGE = 2000
_SLACK_S = 120.0
"""Largest assumed difference between the clocks of several machines, in seconds."""
_CHANGED = "changed"
"""Key of the collection's metadata whose value is different after every change."""


class ServerStore(MemoryStore):
    """Implements the ``CaseStore`` port at the address ``url``, with one collection for each encoder and ``name``.

    Raises ``StoreError`` if the server cannot be reached or the collection holds something else.
    """

    def __init__(self, url: str, fingerprint: str, *, dim: int, name: str = "cases") -> None:
        super().__init__(fingerprint, dim)
        self.url, self._guard = url, threading.RLock()
        self._stamp, self._head = 0.0, ""
        self._about = {"schema": SCHEMA, "fingerprint": fingerprint, "dim": dim}
        self._chroma: Chroma | None = Chroma.server(url)
        try:
            told = {**self._about, _CHANGED: uuid4().hex}
            self._collection = self._chroma.collection(collection_name(name, fingerprint), told)
            self._check(self._collection.metadata or {})
        except BaseException:
            self.close()
            raise

    def put(self, stored: Sequence[StoredCase], embeddings: Embeddings) -> None:
        """Upserts by case id; stored on the server when it returns. Raises ``StoreError``."""
        rows = checked_rows(stored, embeddings, self.dim)
        for start in range(0, len(rows.stored), BATCH):
            part = slice(start, start + BATCH)
            self._write(rows.stored[part], rows.embeddings[part])

    def remove(self, ids: Sequence[str], *, reviewer: str = "") -> None:
        """Hides cases from searches. Unknown ids are ignored, and the reviewer is not recorded."""
        del reviewer
        gone = [one.model_copy(update={"removed": True}) for one in self.get(ids)]
        if gone:
            with self._use("write") as cases:
                cases.update(ids=[one.case.id for one in gone], metadatas=[_metadata(one) for one in gone])

    def contents(self) -> Contents:
        """Returns what the server holds now, including changes by other clients."""
        with self._guard, mapped("read", self.url):
            if self._chroma is None:
                raise StoreError(f"the case store at {self.url} is closed: open it again")
            head = self._chroma.metadata(self._collection.name).get(_CHANGED, "")
            if head != self._head:
                self._read_since(self._stamp - _SLACK_S)
                self._head = head
            return self._contents

    def close(self) -> None:
        with self._guard:
            if self._chroma is not None:
                self._chroma.close()
            self._chroma = None

    def _write(self, stored: Sequence[StoredCase], embeddings: Embeddings) -> None:
        """Writes only new and changed rows: Chroma takes 16 ms for each unchanged row that it rewrites."""
        before = self.contents().position
        same = {
            one.case.id
            for one, row in zip(stored, embeddings, strict=True)
            if one.case.id in before
            and event_of(self._cases[one.case.id], one, "", "") is None
            and not differs(self._contents.embeddings[before[one.case.id]], row)
        }
        told = [i for i, one in enumerate(stored) if one.case.id not in same]
        if not told:
            return
        with self._use("write") as cases:
            cases.upsert(
                ids=[stored[i].case.id for i in told],
                embeddings=embeddings[told],
                metadatas=[_metadata(stored[i]) for i in told],
            )

    def _read_since(self, stamp: float) -> None:
        """Reads the rows written after a stamp, all or none."""
        found: dict[str, tuple[StoredCase, Embeddings]] = {}
        latest, offset = self._stamp, 0
        while True:
            page = self._collection.get(
                where={"stamp": {"$gt": stamp}}, limit=_PAGE, offset=offset, include=["metadatas", "embeddings"]
            )
            if not page["ids"]:
                break
            offset += len(page["ids"])
            latest = max(latest, *(float(metadata["stamp"]) for metadata in page["metadatas"]))
            stored = [StoredCase.model_validate_json(metadata["stored"]) for metadata in page["metadatas"]]
            units = unit_rows(np.asarray(page["embeddings"], np.float32), self.dim)
            found.update((one.case.id, (one, row)) for one, row in zip(stored, units, strict=True))
        self._take_over(found)
        self._stamp = latest

    def _take_over(self, found: dict[str, tuple[StoredCase, Embeddings]]) -> None:
        here = [(one, row) for one, row in found.values() if not one.removed]
        gone = frozenset(case_id for case_id, (one, _) in found.items() if one.removed)
        rows = np.stack([row for _, row in here]) if here else np.zeros((0, self.dim), np.float32)
        self._cases.update((case_id, one) for case_id, (one, _) in found.items())
        self._contents = self._contents.changed([CaseRow.of(one) for one, _ in here], rows, gone)

    @contextmanager
    def _use(self, verb: str) -> Iterator[Any]:
        """Yields the collection for writing and notifies other clients of the change."""
        with self._guard, mapped(verb, self.url):
            if self._chroma is None:
                raise StoreError(f"the case store at {self.url} is closed: open it again")
            yield self._collection
            self._collection.modify(metadata={**self._about, _CHANGED: uuid4().hex})

    def _check(self, metadata: dict[str, Any]) -> None:
        if metadata.get("schema") != SCHEMA:
            raise StoreError(
                f"the collection {self._collection.name} at {self.url} has schema {metadata.get('schema')}; this "
                f"doubleread reads {SCHEMA}: name another"
            )
        if metadata.get("fingerprint") != self.fingerprint or metadata.get("dim") != self.dim:
            raise EncoderMismatch(
                f"the collection {self._collection.name} at {self.url} holds embeddings of "
                f"{metadata.get('fingerprint')}, not of {self.fingerprint}: use that encoder, or name another"
            )


def collection_name(name: str, fingerprint: str) -> str:
    """Returns a collection name for a name and encoder, within Chroma's allowed characters."""
    return f"{name}-{hashlib.sha256(fingerprint.encode()).hexdigest()[:12]}"


def _metadata(stored: StoredCase) -> dict[str, Any]:
    """Returns metadata that always has the same keys: Chroma merges, so a missing key would keep its old value."""
    return {"label": stored.label, "stored": stored.model_dump_json(), "stamp": time.time()}
