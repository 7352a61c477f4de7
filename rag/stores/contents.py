"""The contents of a store in memory: exact search of some hundred thousand cases in a few milliseconds."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doubleread.core.evidence import Neighbour
from doubleread.core.stored import Columns, StoredCase, Wanted
from doubleread.core.types import Embeddings, Vector
from doubleread.rag.stores.stored_rows import nearest_first, products, top_positions

Mask = NDArray[np.bool_]


class CaseRow(NamedTuple):
    """The fields of a stored case that searches need; ``added`` is in seconds since the epoch."""

    id: str
    label: str
    group: str | None
    split: str | None
    source: str
    path: str | None
    tags: tuple[str, ...]
    added: float
    perceptual_hash: str

    @classmethod
    def of(cls, stored: StoredCase) -> "CaseRow":
        """Returns the row of a stored case."""
        case = stored.case
        path, added = None if case.path is None else str(case.path), stored.added.timestamp()
        shown = (case.id, stored.label, case.group, case.split, case.source, path)
        return cls(*shown, stored.tags, added, stored.perceptual_hash)

    def neighbour(self, similarity: float) -> Neighbour:
        """Returns the case as evidence."""
        return Neighbour(
            case_id=self.id,
            label=self.label,
            similarity=min(1.0, similarity),
            group=self.group,
            source=self.source,
            path=None if self.path is None else Path(self.path),
        )


class Contents:
    """Rows in order of arrival, with unit-length embeddings ``(n, dim)``. Never modified in place."""

    def __init__(self, rows: Sequence[CaseRow], embeddings: Embeddings) -> None:
        self.rows, self.embeddings = rows, embeddings
        self.position = {row.id: i for i, row in enumerate(rows)}

    @classmethod
    def empty(cls, dim: int) -> "Contents":
        """Returns empty contents."""
        return cls([], np.zeros((0, dim), np.float32))

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def members(self) -> dict[str, NDArray[np.intp]]:
        """Positions of each group's cases."""
        return _positions((row.group, i) for i, row in enumerate(self.rows))

    @cached_property
    def labelled(self) -> dict[str, NDArray[np.intp]]:
        """Positions of each label's cases."""
        return _positions((row.label, i) for i, row in enumerate(self.rows))

    @cached_property
    def tagged(self) -> dict[str, NDArray[np.intp]]:
        """Positions of the cases that carry each tag."""
        return _positions((tag, i) for i, row in enumerate(self.rows) for tag in row.tags)

    @cached_property
    def parts(self) -> dict[str, NDArray[np.intp]]:
        """Positions of each split's cases."""
        return _positions((row.split, i) for i, row in enumerate(self.rows))

    @cached_property
    def added(self) -> Vector:
        """Times at which the cases were added, in seconds since the epoch, shape ``(n,)``."""
        return np.array([row.added for row in self.rows], dtype=float)

    @cached_property
    def columns(self) -> Columns:
        """The columns that a model of the cases is fitted on."""
        return Columns(
            ids=np.array([row.id for row in self.rows], dtype="U64"),
            labels=np.array([row.label for row in self.rows], dtype=np.str_),
            groups=np.array([row.group or "" for row in self.rows], dtype=np.str_),
            embeddings=self.embeddings,
            hashes=np.array([int(row.perceptual_hash or "0", 16) for row in self.rows], np.uint64),
            hashed=np.array([row.perceptual_hash != "" for row in self.rows], bool),
        )

    def mask(self, wanted: Wanted, ids: frozenset[str], groups: frozenset[str]) -> Mask:
        """Returns True for wanted cases, except those with one of these ids or groups."""
        open_to = np.ones(len(self.rows), bool)
        for names, table in (
            (wanted.labels, self.labelled),
            (wanted.groups, self.members),
            (wanted.splits, self.parts),
        ):
            if names:
                open_to &= self._any_of(names, table)
        for tag in wanted.tags:
            open_to &= self._any_of([tag], self.tagged)
        if wanted.since is not None:
            open_to &= self.added >= wanted.since.timestamp()
        if wanted.until is not None:
            open_to &= self.added < wanted.until.timestamp()
        open_to[[self.position[one] for one in ids if one in self.position]] = False
        for group in groups:
            open_to[self.members.get(group, [])] = False
        return open_to

    def nearest(self, query: Embeddings, k: int, mask: Mask) -> list[Neighbour]:
        """Returns the ``k`` nearest cases under the mask, nearest first; ties are ordered by id."""
        similarities = np.where(mask, products(self.embeddings, query), -np.inf)
        return self._told(similarities, top_positions(similarities, k), k)

    def nearest_of_each(self, query: Embeddings, labels: Sequence[str], k: int, mask: Mask) -> list[Neighbour]:
        """Returns the ``k`` nearest cases of each label under the mask, label by label."""
        similarities = np.where(mask, products(self.embeddings, query), -np.inf)
        found = []
        for label in labels:
            positions = self.labelled.get(label, np.zeros(0, np.intp))
            best = positions[top_positions(similarities[positions], k)]
            found += self._told(similarities, best.tolist(), k)
        return found

    def changed(
        self, rows: Sequence[CaseRow], embeddings: Embeddings, gone: frozenset[str] = frozenset()
    ) -> "Contents":
        """Returns contents with these rows replacing those of the same id or appended, and without the ``gone`` ids."""
        taken = gone | {row.id for row in rows}
        keep = [i for i, row in enumerate(self.rows) if row.id not in taken]
        kept = self.embeddings if len(keep) == len(self.rows) else self.embeddings[keep]
        return Contents([*(self.rows[i] for i in keep), *rows], np.concatenate([kept, embeddings]))

    def _told(self, similarities: Vector, positions: Sequence[int], k: int) -> list[Neighbour]:
        return nearest_first([self.rows[i].neighbour(float(similarities[i])) for i in positions], k)

    def _any_of(self, names: Iterable[str], table: dict[str, NDArray[np.intp]]) -> Mask:
        found = np.zeros(len(self.rows), bool)
        for name in names:
            found[table.get(name, [])] = True
        return found


def _positions(pairs: Iterable[tuple[str | None, int]]) -> dict[str, NDArray[np.intp]]:
    found: dict[str, list[int]] = {}
    for name, position in pairs:
        if name is not None:
            found.setdefault(name, []).append(position)
    return {name: np.array(positions, np.intp) for name, positions in found.items()}
