"""Manages the index of an archive: opens it when it is worthwhile, and falls back to exact search if it fails."""

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
"""Number of cases from which the index is faster than exact search, measured with rows of 512."""
INDEX_LAG = 5000
"""Number of rows that the index may be behind and still catch up during a search."""
INDEX_STEP = 2000
"""Number of rows beyond those written that the index catches up with at each write: seconds, not minutes."""
_MARGIN = 16
_SAME = 1e-3
"""Largest difference between a similarity from the index and the archive's own."""
_SAMPLE, _USUAL = 200, 0.02
_log = logging.getLogger(__name__)


class ArchiveIndex:
    """The index of an encoder's embeddings, if this process can hold it. Callers hold the archive's lock.

    ``state`` names the contents that the index must have; it is used from ``least`` cases on.
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
        """After a write: adds at most ``most`` rows to the index, if there is or should be one."""
        if self._index is None and self._count() < self._least:
            return
        index = self._opened()
        if index is not None:
            with self._expendable():
                index.catch_up(most)

    def current(self, cases: int, stamp: int) -> "Index | None":
        """Returns the index up to ``stamp``; None for few cases, or if another process holds it or it is far behind."""
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
        """Returns ``least_usual_similarity``, measured again when the archive has doubled in size."""
        if self._usual is None or len(contents) >= 2 * self._usual[0]:
            self._usual = len(contents), least_usual_similarity(contents)
        return self._usual[1]

    def drop(self) -> None:
        """Closes the index; this object does not open it again."""
        index, self._index, self._wanted = self._index, None, False
        if index is not None:
            with suppress(StoreError):  # it will be rebuilt
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
        """Drops the index if it fails: the cases are stored, and searches are then exact."""
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
    """Returns the ``k`` nearest cases found by the index, with similarities from the archive's own embeddings.

    More cases than needed are fetched and filtered here, since Chroma's filters are ten times slower. The search is
    exact if the index holds other embeddings, or if it finds nothing as near as ``usual``.
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
    """Returns the similarity to the nearest case outside the own group that 98 % of the stored cases exceed.

    Graph indexes are built for queries that resemble their rows: for other queries they may miss two of the ten
    nearest. So if no case is this near, the search is exact. Measured on 200 cases, the same for the same contents; -1
    if no case has another.
    """
    rng = np.random.default_rng(len(contents))
    chosen = rng.permutation(len(contents))[:_SAMPLE]
    similarities = contents.embeddings[chosen] @ contents.embeddings.T
    for similarity, position in zip(similarities, chosen.tolist(), strict=True):
        group = contents.rows[position].group
        similarity[position if group is None else contents.members[group]] = -1.0
    return float(np.quantile(similarities.max(axis=1, initial=-1.0), _USUAL)) if len(contents) else -1.0
