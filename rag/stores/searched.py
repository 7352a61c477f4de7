"""The questions that every store answers exactly, from what it holds in memory."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence

from doubleread.core.evidence import Neighbour
from doubleread.core.stored import Columns, StoredCase, Wanted
from doubleread.core.types import Embeddings
from doubleread.rag.stores.contents import Contents
from doubleread.rag.stores.stored_rows import check_k, unit_rows

EVERYTHING = Wanted()
NOBODY: frozenset[str] = frozenset()


class Searched(ABC):
    """The reading half of the ``CaseStore`` port, for stores that keep their ``contents`` in memory."""

    dim: int

    @abstractmethod
    def contents(self) -> Contents:
        """What is stored now."""

    def search(
        self,
        queries: Embeddings,
        k: int,
        *,
        wanted: Wanted = EVERYTHING,
        exclude_ids: frozenset[str] = NOBODY,
        exclude_groups: frozenset[str] = NOBODY,
    ) -> list[list[Neighbour]]:
        """The ``k`` nearest cases of each query row, nearest first; fewer where there are no more."""
        check_k(k)
        units, contents = unit_rows(queries, self.dim), self.contents()
        mask = contents.mask(wanted, exclude_ids, exclude_groups)
        return [contents.nearest(query, k, mask) for query in units]

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
        """The ``k`` nearest cases of each label, label by label."""
        check_k(k)
        (unit,), contents = unit_rows(query[None], self.dim), self.contents()
        return contents.nearest_of_each(unit, labels, k, contents.mask(wanted, exclude_ids, exclude_groups))

    def count(self) -> int:
        """Number of cases that can be found."""
        return len(self.contents())

    def holds(self, case_id: str) -> bool:
        """Whether a case of that id can be found."""
        return case_id in self.contents().position

    def columns(self) -> Columns:
        """What a model of the cases learns from."""
        return self.contents().columns


class Versioned:
    """Remembers the version of contents that are never changed in place."""

    def __init__(self) -> None:
        self._of: object = None
        self._version = ""

    def of(self, contents: object, stored: Callable[[], Iterable[StoredCase]]) -> str:
        """That of the cases; they are looked at only where the contents are other than before."""
        if self._of is not contents:
            self._of, self._version = contents, version_of(stored())
        return self._version


def version_of(stored: Iterable[StoredCase]) -> str:
    """Sixteen hexadecimal digits; equal for equal cases, tags and labels, whatever order they came in."""
    lines = sorted(f"{one.case.model_dump_json()} {' '.join(one.tags)}" for one in stored)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
