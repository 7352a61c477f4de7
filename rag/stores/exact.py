"""A case store in memory: exact, and fast enough up to some hundred thousand cases (6 ms at 100,000)."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from doubleread.core.case import Case
from doubleread.core.evidence import Neighbour
from doubleread.core.ports import CaseStore
from doubleread.core.types import Embeddings
from doubleread.rag.stores.rows import (
    Exported,
    check_k,
    checked_rows,
    nearest_first,
    neighbour,
    top_positions,
    unit_rows,
)


@dataclass(frozen=True)
class _Contents:
    """The rows in the order of their ids, and where each case and each group stands in it."""

    exported: Exported
    position: dict[str, int]
    members: dict[str, list[int]]

    def positions(self, ids: frozenset[str], groups: frozenset[str]) -> NDArray[np.intp]:
        """Where the cases of these ids and groups stand."""
        named = [self.position[case_id] for case_id in ids if case_id in self.position]
        grouped = [position for group in groups for position in self.members.get(group, [])]
        return np.array([*named, *grouped], np.intp)


class ExactStore:
    """Implements the ``CaseStore`` port without a disk."""

    def __init__(self, fingerprint: str, *, dim: int) -> None:
        self.fingerprint, self.dim = fingerprint, dim
        self._rows: dict[str, tuple[Case, Embeddings]] = {}
        self._built: _Contents | None = None
        self._guard = threading.Lock()

    @classmethod
    def of(cls, store: CaseStore) -> Self:
        """A copy in memory of everything another store holds."""
        cases, embeddings = store.export()
        copy = cls(store.fingerprint, dim=embeddings.shape[1])
        copy.add(cases, embeddings)
        return copy

    def add(self, cases: Sequence[Case], embeddings: Embeddings) -> None:
        """Upserts by case id; raises ``StoreError``."""
        rows = checked_rows(cases, embeddings, self.dim)
        with self._guard:
            self._rows.update((case.id, (case, row)) for case, row in zip(rows.cases, rows.embeddings, strict=True))
            self._built = None

    def search(
        self,
        queries: Embeddings,
        k: int,
        *,
        exclude_ids: frozenset[str] = frozenset(),
        exclude_groups: frozenset[str] = frozenset(),
    ) -> list[list[Neighbour]]:
        """The ``k`` nearest cases of each query row, nearest first; fewer where there are no more."""
        check_k(k)
        units = unit_rows(queries, self.dim)
        contents = self._contents()
        cases, embeddings = contents.exported
        left_out = contents.positions(exclude_ids, exclude_groups)
        return [self._nearest(embeddings @ query, left_out, k, cases) for query in units]

    def count(self) -> int:
        """Number of stored cases."""
        return len(self._rows)

    def holds(self, case_id: str) -> bool:
        """Whether a case of that id is stored."""
        return case_id in self._rows

    def export(self) -> Exported:
        """Everything that is stored, in the order of the case ids."""
        cases, embeddings = self._contents().exported
        return Exported(list(cases), embeddings)

    def close(self) -> None:
        """Nothing is held that would need closing."""

    def _contents(self) -> _Contents:
        with self._guard:
            if self._built is None:
                rows = [self._rows[case_id] for case_id in sorted(self._rows)]
                stacked = np.array([row for _, row in rows], np.float32).reshape(-1, self.dim)
                members: dict[str, list[int]] = {}
                for i, (case, _) in enumerate(rows):
                    if case.group is not None:
                        members.setdefault(case.group, []).append(i)
                position = {case.id: i for i, (case, _) in enumerate(rows)}
                self._built = _Contents(Exported([case for case, _ in rows], stacked), position, members)
            return self._built

    @staticmethod
    def _nearest(
        similarities: Embeddings, left_out: NDArray[np.intp], k: int, cases: Sequence[Case]
    ) -> list[Neighbour]:
        open_to = similarities.astype(float)
        open_to[left_out] = -np.inf
        return nearest_first([neighbour(cases[i], float(open_to[i])) for i in top_positions(open_to, k)], k)
