"""A case store in memory: exact, and fast enough up to some hundred thousand cases."""

import threading
from collections.abc import Sequence
from typing import Self

import numpy as np

from doubleread.core.ports import CaseStore
from doubleread.core.stored import StoredCase
from doubleread.core.types import Embeddings
from doubleread.rag.stores.contents import CaseRow, Contents
from doubleread.rag.stores.store_base import MemoryStore
from doubleread.rag.stores.stored_rows import checked_rows


class ExactStore(MemoryStore):
    """Implements the ``CaseStore`` port without a disk."""

    def __init__(self, fingerprint: str, *, dim: int) -> None:
        super().__init__(fingerprint, dim)
        self._guard = threading.Lock()

    @classmethod
    def of(cls, store: CaseStore) -> Self:
        """Returns a copy in memory of another store."""
        cases, embeddings = store.export()
        copy = cls(store.fingerprint, dim=embeddings.shape[1])
        copy.add(cases, embeddings)
        return copy

    def put(self, stored: Sequence[StoredCase], embeddings: Embeddings) -> None:
        rows = checked_rows(stored, embeddings, self.dim)
        if not rows.stored:
            return
        with self._guard:
            self._cases.update((one.case.id, one) for one in rows.stored)
            self._contents = self._contents.changed([CaseRow.of(one) for one in rows.stored], rows.embeddings)

    def remove(self, ids: Sequence[str], *, reviewer: str = "") -> None:
        """Deletes cases. Unknown ids are ignored, and the reviewer is not recorded."""
        del reviewer
        with self._guard:
            for one in ids:
                self._cases.pop(one, None)
            self._contents = self._contents.changed([], np.zeros((0, self.dim), np.float32), frozenset(ids))

    def contents(self) -> Contents:
        return self._contents

    def close(self) -> None:
        """Does nothing: no resources are held."""
