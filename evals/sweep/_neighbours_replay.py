"""What the neighbours agent would have said, had it weighed the stored cases otherwise: from cached encodings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from doubleread.core.agent_ports import WHOLE
from doubleread.core.errors import DataError
from doubleread.core.opinion import Answer, Opinion
from doubleread.core.reading import Reading
from doubleread.core.stored import Columns
from doubleread.core.task import Task
from doubleread.core.types import Embeddings, Vector
from doubleread.panel.composition import VIEWS, encodings_of
from doubleread.panel.panel_folder import PanelFolder
from doubleread.rag.cache import EncodingCache
from doubleread.rag.nearest_cases import NeighbourModel, Weighting
from doubleread.rag.stores.archive import Archive

AGENT = "neighbours"
_AT_ONCE = 256


@dataclass(frozen=True)
class Neighbourhood:
    """A panel's archive and the encodings of the cases that were read."""

    task: Task
    columns: Columns
    cache: EncodingCache
    vote_temperature: float

    @classmethod
    def of(cls, saved: PanelFolder) -> "Neighbourhood":
        """Raises ``DataError`` where the panel has no such agent or no archive of its own."""
        if AGENT not in saved.arbiter.agents:
            raise DataError(f"k, top and local are settings of the agent {AGENT!r}, which this panel does not have")
        if saved.settings.retrieval.url:
            raise DataError(
                "k, top and local can be varied only for an archive in the panel's folder, not for one on a server"
            )
        with Archive(saved.folder / "store", saved.head.fingerprint, dim=saved.head.dim, read_only=True) as archive:
            columns = archive.columns()
        cache = encodings_of(saved.settings, saved.head.fingerprint)
        return cls(saved.arbiter.task, columns, cache, saved.head.weighting.vote_temperature)

    def read_again(self, rows: Iterable[Reading], weighed: tuple[int | None, int, int]) -> Iterator[Reading]:
        """The readings with the answers that the agent gives with these ``k``, ``top`` and ``local``.

        The temperature is fitted on the archive as ever. Raises ``DataError`` for cases whose encoding is not cached.
        """
        k, top, local = weighed
        weighting = Weighting(top=top, local=local, vote_temperature=self.vote_temperature)
        labels = np.array([self.task.index(label) for label in self.columns.labels.tolist()], dtype=np.int64)
        groups = [group or None for group in self.columns.groups.tolist()]
        model = NeighbourModel(weighting).fit(self.columns.embeddings, labels, groups, len(self.task.names))
        waiting = iter(rows)
        while part := list(islice(waiting, _AT_ONCE)):
            seen = self._encodings(part)
            for row in part:
                yield self._read(row, [seen[row.case, view] for view in _views(row)], model, labels, k)

    def _encodings(self, rows: list[Reading]) -> dict[tuple[str, str], NDArray[np.float32]]:
        wanted = [(row.case, view) for row in rows for view in _views(row)]
        found = self.cache.get_many(wanted)
        if missing := {case for case, view in wanted if (case, view) not in found}:
            raise DataError(
                f"{len(missing)} of {len(rows)} cases have no cached encoding in {self.cache.path.parent}, which this "
                "needs: set encoder.cache_dir to the folder that was used when the panel was fitted or the run was made"
            )
        return found

    def _read(
        self, row: Reading, queries: list[Embeddings], model: NeighbourModel, labels: NDArray[np.int64], k: int | None
    ) -> Reading:
        hidden = self._hidden(row)

        def shares(query: Embeddings) -> Vector:
            if k is None:
                return model.distribution(query, hidden)
            similarities = np.where(hidden, -np.inf, model.similarities(query))
            nearest = np.argsort(-similarities, kind="stable")[: min(k, int((~hidden).sum()))]
            return model.vote(similarities[nearest], labels[nearest])

        def again(answer: Answer) -> Answer:
            if answer.agent != AGENT or not isinstance(answer, Opinion):
                return answer
            said = np.mean([shares(query) for query in (queries if answer.round > 1 else queries[:1])], axis=0)
            return Opinion.from_vector(AGENT, self.task, said, "neighbours", round=answer.round)

        changed = {"first": tuple(map(again, row.first)), "second": tuple(map(again, row.second))}
        return row.model_copy(update=changed)

    def _hidden(self, row: Reading) -> NDArray[np.bool_]:
        """The stored cases that the case must not see: itself, its group, near copies and their groups."""
        columns, copies = self.columns, row.evidence.near_copies
        groups = {group for group in (row.group, *(one.group for one in copies)) if group}
        hidden = np.isin(columns.ids, [row.case, *(one.case_id for one in copies)])
        return np.asarray(hidden | np.isin(columns.groups, list(groups)))


def _views(row: Reading) -> tuple[str, ...]:
    looked = any(a.agent == AGENT and a.round > 1 for a in row.second)
    return VIEWS if looked else (WHOLE,)
