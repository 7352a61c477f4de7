"""Base classes of case stores: exact search in memory, adding cases, and versions by content."""

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime

from doubleread.core.case import Case
from doubleread.core.closing import Closing
from doubleread.core.evidence import Neighbour
from doubleread.core.stored import Columns, StoredCase, Wanted
from doubleread.core.types import Embeddings
from doubleread.rag.stores.contents import Contents
from doubleread.rag.stores.stored_rows import Exported, check_k, unit_rows

EVERYTHING = Wanted()
NOBODY: frozenset[str] = frozenset()


class SearchableStore(Closing):
    """The methods of the ``CaseStore`` port that need only the ``contents`` in memory."""

    dim: int

    @abstractmethod
    def contents(self) -> Contents:
        """Returns what is stored now."""

    @abstractmethod
    def put(self, stored: Sequence[StoredCase], embeddings: Embeddings) -> object:
        """Upserts by case id, with tags and provenance; raises ``StoreError``."""

    def add(self, cases: Sequence[Case], embeddings: Embeddings) -> None:
        """Upserts by case id; stored when it returns. Raises ``StoreError``."""
        now = datetime.now(UTC)
        self.put([StoredCase(case=case, added=now) for case in cases], embeddings)

    def search(
        self,
        queries: Embeddings,
        k: int,
        *,
        wanted: Wanted = EVERYTHING,
        exclude_ids: frozenset[str] = NOBODY,
        exclude_groups: frozenset[str] = NOBODY,
    ) -> list[list[Neighbour]]:
        """Returns the ``k`` nearest cases of each query row, nearest first, or fewer if there are no more."""
        check_k(k)
        units = unit_rows(queries, self.dim)
        return self._nearest(units, k, self.contents(), wanted, exclude_ids, exclude_groups)

    def search_each(
        self,
        query: Embeddings,
        labels: Sequence[str],
        k: int,
        *,
        wanted: Wanted = EVERYTHING,
        exclude_ids: frozenset[str] = NOBODY,
        exclude_groups: frozenset[str] = NOBODY,
    ) -> list[Neighbour]:
        """Returns the ``k`` nearest cases of each label, label by label."""
        check_k(k)
        (unit,), contents = unit_rows(query[None], self.dim), self.contents()
        return contents.nearest_of_each(unit, labels, k, contents.mask(wanted, exclude_ids, exclude_groups))

    def count(self) -> int:
        """Returns the number of cases that can be found."""
        return len(self.contents())

    def holds(self, case_id: str) -> bool:
        """Whether a case of that id can be found."""
        return case_id in self.contents().position

    def columns(self) -> Columns:
        """Returns the columns that a model of the cases is fitted on."""
        return self.contents().columns

    def _nearest(
        self,
        units: Embeddings,
        k: int,
        contents: Contents,
        wanted: Wanted,
        exclude_ids: frozenset[str],
        exclude_groups: frozenset[str],
    ) -> list[list[Neighbour]]:
        mask = contents.mask(wanted, exclude_ids, exclude_groups)
        return [contents.nearest(query, k, mask) for query in units]


class MemoryStore(SearchableStore):
    """A store that holds every case in memory, without history; its version is a digest of its contents."""

    def __init__(self, fingerprint: str, dim: int) -> None:
        self.fingerprint, self.dim = fingerprint, dim
        self._cases: dict[str, StoredCase] = {}
        self._contents = Contents.empty(dim)
        self._versioned: tuple[Contents | None, str] = (None, "")

    def get(self, ids: Sequence[str]) -> list[StoredCase]:
        """Returns the stored cases of these ids, in this order; unknown ids are left out."""
        there = self.contents().position
        return [self._cases[one] for one in ids if one in there]

    def export(self) -> Exported:
        """Returns everything that is stored, ordered by case id."""
        contents = self.contents()
        order = sorted(range(len(contents)), key=lambda i: contents.rows[i].id)
        return Exported([self._cases[contents.rows[i].id].case for i in order], contents.embeddings[order])

    def version(self) -> str:
        """Sixteen hexadecimal digits, equal for equal cases, tags and labels in any order."""
        contents = self.contents()
        if self._versioned[0] is not contents:  # contents are never changed in place
            held = (self._cases[row.id] for row in contents.rows)
            lines = sorted(f"{one.case.model_dump_json()} {' '.join(one.tags)}" for one in held)
            self._versioned = contents, hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
        return self._versioned[1]
