"""Retrieves evidence for a case: its nearest labelled cases, and the label distribution they imply."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doubleread.core.agent_ports import WHOLE
from doubleread.core.case import Case
from doubleread.core.errors import DoublereadError, StoreError
from doubleread.core.evidence import Evidence, EvidenceQuality, Neighbour
from doubleread.core.label_text import as_known
from doubleread.core.ports import CaseStore, Embedder
from doubleread.core.stored import Columns
from doubleread.core.task import Task
from doubleread.core.types import Embeddings, Matrix, Vector
from doubleread.rag.near_copies.copy_finder import CopyFinder
from doubleread.rag.nearest_cases import REFERENCES, NeighbourModel, Weighting
from doubleread.rag.stores.contents import CaseRow

Look = Callable[[Case], Awaitable[tuple[str, ...]]]
_EMPTY = "the case store holds no other case: add labelled cases to it"


@dataclass(frozen=True)
class _FittedModel:
    """A fitted model and the cases it was fitted on."""

    model: NeighbourModel
    columns: Columns

    def unseen(self, case: Case, similarities: Vector, finder: CopyFinder | None, store: CaseStore) -> "_Unseen":
        """Returns the rows that must be excluded for a case, as ``StoreRetriever`` describes."""
        columns, nobody = self.columns, np.zeros(0, np.intp)
        copies = nobody if finder is None else finder.copies(case, similarities, columns, store.get)
        copies = copies[columns.ids[copies] != case.id]
        groups = frozenset({*columns.groups[copies].tolist(), case.group or ""} - {""})
        hidden = np.zeros(len(columns.ids), bool)
        hidden[copies] = True
        hidden[[columns.position[one] for one in (case.id,) if one in columns.position]] = True
        for group in groups:
            hidden[columns.members.get(group, nobody)] = True
        return _Unseen(frozenset({case.id, *columns.ids[copies].tolist()}), groups, hidden, copies)

    def hubness(self, found: Sequence[Neighbour]) -> float | None:
        """Returns the mean hubness of cases, in standard deviations from the mean of all."""
        hubs = self.model.hubs
        spread = float(hubs.std())
        theirs = self.hubs(np.array([one.case_id for one in found]))
        return float((np.nanmean(theirs) - hubs.mean()) / spread) if spread > 0 else None

    def hubs(self, ids: NDArray[np.str_]) -> Vector:
        """Returns the known hubness of these cases, shape ``(len(ids),)``; NaN for new ones."""
        position, hubs = self.columns.position, self.model.hubs
        return np.array([hubs[position[one]] if one in position else np.nan for one in ids.tolist()], dtype=float)


class StoreRetriever:
    """Implements the ``Retriever`` port. The case itself and its group are always excluded.

    With a ``finder``, near copies of the case's picture and the groups of these copies are excluded too. The model of
    the label distribution is fitted on the store at the first search, and updated when cases are added, removed or
    relabelled. Its temperature is kept, since trust was learned with it.
    """

    def __init__(
        self,
        store: CaseStore,
        embedder: Embedder,
        task: Task,
        k: int = 10,
        weighting: Weighting | None = None,
        finder: CopyFinder | None = None,
    ) -> None:
        self._store, self._embedder, self._task, self._k, self._finder = store, embedder, task, k, finder
        self._weighting = weighting or Weighting()
        self.look: Look | None = None
        """Reports in what a case's picture is unusual; None if unknown, for example while a panel is fitted."""
        self._fitted: _FittedModel | None = None
        self._flying: dict[_Question, asyncio.Task[Evidence]] = {}
        self._guard = threading.Lock()

    async def find(self, case: Case, views: Sequence[str] = (WHOLE,)) -> Evidence:
        """Returns the ``k`` nearest cases of the first view, and the label distribution averaged over all views.

        Concurrent calls with the same arguments share one search. Errors are reported in ``failure``.
        """
        try:
            queries = await self._embedder.embed(case, views)
            found = await asyncio.shield(self._asked(case, views, queries))
        except (DoublereadError, OSError, RuntimeError, ValueError) as error:
            found = Evidence(neighbours=(), failure=str(error) or type(error).__name__)
        unusual = await self.look(case) if self.look is not None else ()
        return found.model_copy(update={"unusual": unusual}) if unusual else found

    async def contrast(self, case: Case, labels: Sequence[str], per_label: int) -> tuple[Neighbour, ...]:
        """Returns the nearest stored cases of each label, label by label; empty if retrieval failed."""
        try:
            query = (await self._embedder.embed(case, (WHOLE,)))[0]
            return await asyncio.to_thread(self._contrast, case, query, labels, per_label)
        except (DoublereadError, OSError, RuntimeError, ValueError):
            return ()  # ``find`` has reported the error

    async def distributions(self, case: Case, views: Sequence[str]) -> Matrix:
        """Returns the label distribution of each view, shape ``(len(views), n_labels)``.

        Raises ``ImageError``, and ``StoreError`` if the store cannot be read or holds no other case.
        """
        whole = await self._embedder.embed(case, (WHOLE,))
        return await asyncio.to_thread(self._each, case, whole[0], await self._embedder.embed(case, views))

    def finding(self, k: int) -> "StoreRetriever":
        """Returns a copy that finds ``k`` cases and shares the fitted model."""
        other = copy(self)
        other._k = k  # noqa: SLF001 - an instance of this class
        return other

    @property
    def weighting(self) -> Weighting:
        """The weights of neighbours, with the fitted temperature.

        Raises ``StoreError`` if the store cannot be read or holds labels that the task does not have.
        """
        return self._current().model.weighting

    def _asked(self, case: Case, views: Sequence[str], queries: Embeddings) -> "asyncio.Task[Evidence]":
        question = _Question(asyncio.get_running_loop(), case.id, case.group, tuple(views), self._k)
        if question not in self._flying:
            flying = asyncio.create_task(asyncio.to_thread(self._evidence, case, queries))
            self._flying[question] = flying
            flying.add_done_callback(lambda _: self._flying.pop(question))
        return self._flying[question]

    def _evidence(self, case: Case, queries: Embeddings) -> Evidence:
        fitted = self._current()
        if not len(fitted.columns.ids):
            return Evidence(neighbours=(), failure=_EMPTY)
        similarities = fitted.model.similarities(queries[0])
        unseen = fitted.unseen(case, similarities, self._finder, self._store)
        found = self._store.search(queries[:1], self._k, exclude_ids=unseen.ids, exclude_groups=unseen.groups)[0]
        copies = self._copies(fitted, unseen, similarities)
        if not found:
            return Evidence(neighbours=(), near_copies=copies, archive=self._store.version(), failure=_EMPTY)
        crops = [fitted.model.nearness(query, unseen.hidden) for query in queries[1:]]
        nearness = [fitted.model.nearness_of(similarities, unseen.hidden), *crops]
        shares = np.mean([fitted.model.shares(one) for one in nearness], axis=0)
        indexed = fitted.model.vote(
            np.array([one.similarity for one in found]), np.array([self._task.index(one.label) for one in found])
        )
        leading, (second, first) = self._task.names[int(shares.argmax())], np.sort(shares)[-2:]
        return Evidence(
            neighbours=tuple(found),
            distribution=self._named(shares),
            as_indexed=self._named(indexed),
            quality=EvidenceQuality(
                similarity=found[0].similarity,
                agreement=sum(one.label == leading for one in found) / len(found),
                margin=float(first - second),
                nearness=float(nearness[0].max()),
                hubness=fitted.hubness(found),
            ),
            near_copies=copies,
            archive=self._store.version(),
        )

    def _each(self, case: Case, whole: Embeddings, queries: Embeddings) -> Matrix:
        fitted = self._current()
        if not len(fitted.columns.ids):
            raise StoreError(_EMPTY)
        hidden = fitted.unseen(case, fitted.model.similarities(whole), self._finder, self._store).hidden
        if hidden.all():
            raise StoreError(_EMPTY)
        return np.stack([fitted.model.distribution(query, hidden) for query in queries])

    def _contrast(self, case: Case, query: Embeddings, labels: Sequence[str], per_label: int) -> tuple[Neighbour, ...]:
        fitted = self._current()
        unseen = fitted.unseen(case, fitted.model.similarities(query), self._finder, self._store)
        return tuple(
            self._store.search_each(query, labels, per_label, exclude_ids=unseen.ids, exclude_groups=unseen.groups)
        )

    def _copies(self, fitted: _FittedModel, unseen: "_Unseen", similarities: Vector) -> tuple[Neighbour, ...]:
        rows = unseen.copies.tolist()
        if not rows:
            return ()
        stored = self._store.get([fitted.columns.ids[i] for i in rows])
        near = {str(fitted.columns.ids[i]): float(similarities[i]) for i in rows}
        return tuple(CaseRow.of(one).neighbour(near[one.case.id]) for one in stored)

    def _current(self) -> _FittedModel:
        with self._guard:
            columns = self._store.columns()
            if self._fitted is None or self._fitted.columns is not columns:
                self._fitted = self._fit(columns, self._fitted)
            return self._fitted

    def _fit(self, columns: Columns, before: _FittedModel | None) -> _FittedModel:
        names = self._task.names
        unknown = {label for label in set(columns.labels.tolist()) if as_known(label, names) not in names}
        if unknown:
            raise StoreError(
                f"the case store holds labels {sorted(unknown)} that task {self._task.id!r} does not know "
                f"({', '.join(names)}): use the store of this task"
            )
        labels = np.array([self._task.index(label) for label in columns.labels.tolist()], np.int64)
        groups = [group or None for group in columns.groups.tolist()]
        model = NeighbourModel(self._weighting if before is None else before.model.weighting)
        large = len(columns.ids) > REFERENCES  # hubness of fewer cases is fast to recompute, and more exact
        hubs = before.hubs(columns.ids) if before is not None and large else None
        return _FittedModel(model.fit(columns.embeddings, labels, groups, len(self._task.names), hubs=hubs), columns)

    def _named(self, shares: Vector) -> dict[str, float]:
        return {name: float(share) for name, share in zip(self._task.names, shares, strict=True)}


class _Question(NamedTuple):
    """The key under which concurrent questions share one answer."""

    loop: asyncio.AbstractEventLoop
    case: str
    group: str | None
    views: tuple[str, ...]
    k: int


class _Unseen(NamedTuple):
    ids: frozenset[str]
    groups: frozenset[str]
    hidden: NDArray[np.bool_]
    copies: NDArray[np.intp]
    """Rows of the near copies."""
