"""Finds the evidence for a case: its nearest labelled cases, and what they imply."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doubleread.core.case import Case
from doubleread.core.errors import DoublereadError, StoreError
from doubleread.core.evidence import Evidence, EvidenceQuality, Neighbour
from doubleread.core.ports import WHOLE, CaseStore, Embedder
from doubleread.core.task import Task
from doubleread.core.types import Embeddings, Vector
from doubleread.rag.neighbours import NeighbourModel, Weighting
from doubleread.rag.stores.rows import neighbour


@dataclass(frozen=True)
class _Archive:
    """The store's contents as they were when the model was fitted on them."""

    model: NeighbourModel
    cases: tuple[Case, ...]
    ids: NDArray[np.str_]
    groups: NDArray[np.str_]
    """Empty for a case without a group."""

    def mask(self, case: Case) -> NDArray[np.bool_]:
        """True for the rows that a case must not see: its own and those of its group."""
        own: NDArray[np.bool_] = self.ids == case.id
        return own | (self.groups == case.group) if case.group else own


class StoreRetriever:
    """Implements the ``Retriever`` port: never the case itself, never a case of its group, never an exception.

    The model of the label distribution is fitted on the store's contents at the first search, and again when the
    store has grown; ``refresh`` does so after cases were rewritten.
    """

    def __init__(
        self, store: CaseStore, embedder: Embedder, task: Task, k: int = 10, weighting: Weighting | None = None
    ) -> None:
        self._store, self._embedder, self._task, self._k = store, embedder, task, k
        self._weighting = weighting or Weighting()
        self._archive: _Archive | None = None
        self._guard = threading.Lock()

    async def find(self, case: Case, views: Sequence[str] = (WHOLE,)) -> Evidence:
        """The ``k`` nearest cases of the first view, and the label distribution averaged over all views.

        A failure is told in ``failure``.
        """
        try:
            queries = await self._embedder.embed(case, views)
            return await asyncio.to_thread(self._evidence, case, queries)
        except (DoublereadError, OSError, RuntimeError, ValueError) as error:
            return Evidence(neighbours=(), failure=str(error) or type(error).__name__)

    async def contrast(self, case: Case, labels: Sequence[str], per_label: int) -> tuple[Neighbour, ...]:
        """The nearest stored cases of each label, label by label; empty where retrieval failed."""
        try:
            query = (await self._embedder.embed(case, (WHOLE,)))[0]
            return await asyncio.to_thread(self._contrast, case, query, labels, per_label)
        except (DoublereadError, OSError, RuntimeError, ValueError):
            return ()  # ``find`` has told why

    def refresh(self) -> Weighting:
        """Fits the model on what the store holds now; returns its weighting, temperature included.

        Raises ``StoreError`` where the store cannot be read or holds labels that the task does not know.
        """
        with self._guard:
            self._archive = self._load()
            return self._archive.model.weighting

    def _evidence(self, case: Case, queries: Embeddings) -> Evidence:
        groups = frozenset() if case.group is None else frozenset({case.group})
        found = self._store.search(queries[:1], self._k, exclude_ids=frozenset({case.id}), exclude_groups=groups)[0]
        if not found:
            return Evidence(neighbours=(), failure="the case store holds no other case: add labelled cases to it")
        archive = self._current()
        exclude = archive.mask(case)
        nearness = [archive.model.nearness(query, exclude) for query in queries]
        shares = np.mean([archive.model.shares(one) for one in nearness], axis=0)
        indexed = archive.model.vote(
            np.array([one.similarity for one in found]), np.array([self._task.index(one.label) for one in found])
        )
        return Evidence(
            neighbours=tuple(found),
            distribution=self._named(shares),
            as_indexed=self._named(indexed),
            quality=_quality(found, shares, self._task.names, float(nearness[0].max())),
        )

    def _contrast(self, case: Case, query: Vector, labels: Sequence[str], per_label: int) -> tuple[Neighbour, ...]:
        archive = self._current()
        exclude = archive.mask(case)
        return tuple(
            neighbour(archive.cases[row], similarity)
            for label in labels
            for row, similarity in archive.model.nearest(query, self._task.index(label), per_label, exclude).items()
        )

    def _current(self) -> _Archive:
        with self._guard:
            if self._archive is None or len(self._archive.ids) != self._store.count():
                self._archive = self._load()
            return self._archive

    def _load(self) -> _Archive:
        cases, embeddings = self._store.export()
        unknown = {str(case.label) for case in cases} - set(self._task.names)
        if unknown:
            raise StoreError(
                f"the case store holds labels {sorted(unknown)} that task {self._task.id!r} does not know "
                f"({', '.join(self._task.names)}): use the store of this task"
            )
        labels = np.array([self._task.index(str(case.label)) for case in cases], np.int64)
        groups = [case.group for case in cases]
        model = NeighbourModel(self._weighting).fit(embeddings, labels, groups, len(self._task.names))
        ids = np.array([case.id for case in cases])
        return _Archive(model, tuple(cases), ids, np.array([group or "" for group in groups]))

    def _named(self, shares: Vector) -> dict[str, float]:
        return {name: float(share) for name, share in zip(self._task.names, shares, strict=True)}


def _quality(found: Sequence[Neighbour], shares: Vector, names: Sequence[str], nearness: float) -> EvidenceQuality:
    leading = names[int(shares.argmax())]
    second, first = np.sort(shares)[-2:]
    return EvidenceQuality(
        similarity=found[0].similarity,
        agreement=sum(one.label == leading for one in found) / len(found),
        margin=float(first - second),
        nearness=nearness,
    )
