"""How an archive uses its index: opened when it is first worth it, and done without where it fails."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from doubleread.core.errors import StoreError
from doubleread.core.evidence import Neighbour
from doubleread.core.types import Embeddings
from doubleread.rag.stores.contents import Contents
from doubleread.rag.stores.ledger_embeddings import LedgerEmbeddings
from doubleread.rag.stores.store_base import EVERYTHING
from doubleread.rag.stores.stored_rows import nearest_first

if TYPE_CHECKING:
    from doubleread.rag.stores.index import Index

INDEX_FROM = 10_000
"""Cases from which the index is faster than looking at every one: measured with rows of 512."""
INDEX_LAG = 5000
"""Rows that the index may be behind and still catch up while someone waits."""
INDEX_STEP = 2000
"""Rows that the index catches up with whenever something is written, besides those: a few seconds, not minutes."""
_MARGIN = 16
_SAME = 1e-3
"""How far a similarity that the index tells may be from the archive's own."""
_SAMPLE, _USUAL = 200, 0.02
_log = logging.getLogger(__name__)


class ArchiveIndex:
    """The index of an encoder's embeddings, where this process can have it. Callers hold the archive's lock.

    ``state`` says what the index must be of; it is used from ``least`` cases on.
    """

    def __init__(
        self, folder: Path, vectors: LedgerEmbeddings, encoder: int, dim: int, state: Callable[[], str], least: int
    ) -> None:
        self._folder, self._state, self._least, self._wanted = folder, state, least, True
        self._count, self._count_after = partial(vectors.count, encoder), partial(vectors.count_after, encoder)
        self._after = partial(vectors.after, encoder, dim)
        self._index: Index | None = None
        self._usual: tuple[int, float] | None = None

    def catch_up(self, most: int) -> None:
        """After something was written: adds at most so many rows to the index, where there is one or should be."""
        if self._index is None and self._count() < self._least:
            return
        index = self._opened()
        if index is not None:
            with self._expendable():
                index.catch_up(most)

    def current(self, cases: int, stamp: int) -> "Index | None":
        """The index, up to ``stamp``; None for few cases, and where another process has it or it is far behind."""
        if not cases or cases < self._least:
            return None
        index = self._opened()
        if index is None or index.upto >= stamp:
            return index
        if self._count_after(index.upto) > INDEX_LAG:
            return None
        with self._expendable():
            index.catch_up(INDEX_LAG)
        return self._index

    def usual(self, contents: Contents) -> float:
        """``least_usual_similarity``, measured again when the archive has doubled."""
        if self._usual is None or len(contents) >= 2 * self._usual[0]:
            self._usual = len(contents), least_usual_similarity(contents)
        return self._usual[1]

    def drop(self) -> None:
        """Closes the index; this object opens none again."""
        index, self._index, self._wanted = self._index, None, False
        if index is not None:
            with suppress(StoreError):  # it is built again
                index.close()

    def _opened(self) -> "Index | None":
        if self._index is None and self._wanted:
            from doubleread.rag.stores.index import Index  # noqa: PLC0415 - Chroma takes a second to load

            with self._expendable():
                self._index = Index.open(self._folder, self._state(), self._after)
            self._wanted = self._index is not None
        return self._index

    @contextmanager
    def _expendable(self) -> Iterator[None]:
        """Where the index fails, it is done without: what was stored is stored, and searches are exact."""
        try:
            yield
        except StoreError as error:
            _log.warning("the archive %s is searched without its index: %s", self._folder.parent.parent, error)
            self.drop()


def nearest_by_index(
    index: "Index",
    contents: Contents,
    query: Embeddings,
    k: int,
    exclude_ids: frozenset[str],
    exclude_groups: frozenset[str],
    usual: float,
) -> list[Neighbour]:
    """The ``k`` nearest cases that the index proposes; the similarities are those of the archive's own embeddings.

    More are fetched than wanted and filtered here: Chroma's own filters are ten times slower. The answer is an exact
    one where the index holds other embeddings, or proposes nothing as near as is ``usual``.
    """
    fetch = k + len(exclude_ids) + _MARGIN
    while fetch < len(contents):
        told = [(contents.position.get(one), similarity) for one, similarity in index.nearest(query, fetch)]
        found = [i for i, _ in told if i is not None]
        similarities = contents.embeddings[found] @ query
        if np.abs(similarities - [one for i, one in told if i is not None]).max(initial=0.0) > _SAME:
            break
        open_to = [
            contents.rows[i].neighbour(float(similarity))
            for i, similarity in zip(found, similarities, strict=True)
            if contents.rows[i].id not in exclude_ids and contents.rows[i].group not in exclude_groups
        ]
        if open_to and max(one.similarity for one in open_to) < usual:
            break
        if len(open_to) >= k:
            return nearest_first(open_to, k)
        fetch *= 4
    return contents.nearest(query, k, contents.mask(EVERYTHING, exclude_ids, exclude_groups))


def least_usual_similarity(contents: Contents) -> float:
    """The similarity that 98 % of the stored cases exceed with the nearest case outside their own group.

    Graph indexes are made for queries from among their own rows: of the ten nearest of a query from elsewhere they may
    miss two. So where nothing that near is found, every case is looked at. Measured on 200 cases, the same ones for the
    same contents; -1 where no case has another.
    """
    rng = np.random.default_rng(len(contents))
    chosen = rng.permutation(len(contents))[:_SAMPLE]
    similarities = contents.embeddings[chosen] @ contents.embeddings.T
    for similarity, position in zip(similarities, chosen.tolist(), strict=True):
        group = contents.rows[position].group
        similarity[position if group is None else contents.members[group]] = -1.0
    return float(np.quantile(similarities.max(axis=1, initial=-1.0), _USUAL)) if len(contents) else -1.0
