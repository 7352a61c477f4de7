"""A case store in memory: exact, and fast enough up to some hundred thousand cases."""

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Self

import numpy as np

from doubleread.core.case import Case
from doubleread.core.ports import CaseStore
from doubleread.core.stored import StoredCase
from doubleread.core.types import Embeddings
from doubleread.rag.stores.contents import CaseRow, Contents
from doubleread.rag.stores.searched import Searched, Versioned
from doubleread.rag.stores.stored_rows import Exported, checked_rows


class ExactStore(Searched):
    """Implements the ``CaseStore`` port without a disk."""

    def __init__(self, fingerprint: str, *, dim: int) -> None:
        self.fingerprint, self.dim = fingerprint, dim
        self._cases: dict[str, StoredCase] = {}
        self._contents = Contents.empty(dim)
        self._guard = threading.Lock()
        self._versioned = Versioned()

    @classmethod
    def of(cls, store: CaseStore) -> Self:
        """A copy in memory of everything another store holds."""
        cases, embeddings = store.export()
        copy = cls(store.fingerprint, dim=embeddings.shape[1])
        copy.add(cases, embeddings)
        return copy

    def add(self, cases: Sequence[Case], embeddings: Embeddings) -> None:
        """Upserts by case id; raises ``StoreError``."""
        now = datetime.now(UTC)
        self.put([StoredCase(case=case, added=now) for case in cases], embeddings)

    def put(self, stored: Sequence[StoredCase], embeddings: Embeddings) -> None:
        """Upserts by case id, with tags and provenance; raises ``StoreError``."""
        rows = checked_rows(stored, embeddings, self.dim)
        if not rows.stored:
            return
        with self._guard:
            self._cases.update((one.case.id, one) for one in rows.stored)
            self._contents = self._contents.changed([CaseRow.of(one) for one in rows.stored], rows.embeddings)

    def remove(self, ids: Sequence[str], *, reviewer: str = "") -> None:
        """Takes cases out; ids that are not there do nothing, and nothing is kept of who it was."""
        del reviewer
        with self._guard:
            for one in ids:
                self._cases.pop(one, None)
            self._contents = self._contents.changed([], np.zeros((0, self.dim), np.float32), frozenset(ids))

    def contents(self) -> Contents:
        """What is stored now."""
        return self._contents

    def get(self, ids: Sequence[str]) -> list[StoredCase]:
        """The stored cases of these ids, in this order; unknown ids are left out."""
        return [self._cases[one] for one in ids if one in self._cases]

    def version(self) -> str:
        """A digest of what is stored."""
        return self._versioned.of(self._contents, self._cases.values)

    def export(self) -> Exported:
        """Everything that is stored, in the order of the case ids."""
        contents = self._contents
        order = sorted(range(len(contents)), key=lambda i: contents.rows[i].id)
        return Exported([self._cases[contents.rows[i].id].case for i in order], contents.embeddings[order])

    def close(self) -> None:
        """Nothing is held that would need closing."""
