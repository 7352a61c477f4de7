"""The model of what similar cases imply: every stored case in memory, searched exactly."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.errors import NotFitted
from doubleread.core.types import Embeddings, Labels, Matrix, Vector
from doubleread.rag.dot_products import products
from doubleread.rag.label_distribution import class_scores, distribution, fit_temperature, hubness, vote

_CHUNK = 1000
REFERENCES = 5000
"""Cases against which hubness is measured where there are more."""
_HELD_OUT = 2000


class Weighting(Record):
    """How neighbours are weighed; a ``temperature`` of None is fitted on the stored cases."""

    top: int = 5
    """Best cases of each class that count."""
    local: int = 10
    """Nearest cases by which a stored case's own surroundings are measured."""
    temperature: float | None = None
    vote_temperature: float = 0.05
    """Of the vote over the nearest cases as the archive holds them."""


class NeighbourModel:
    """Class-balanced, hub-corrected label distribution of a query; its temperature is fitted on group-excluded
    leave-one-out over the stored cases themselves.

    Above 5,000 cases, hubness is measured against a fixed random 5,000 of them; the temperature is fitted on at most
    2,000.
    """

    def __init__(self, weighting: Weighting | None = None) -> None:
        self.weighting = weighting or Weighting()
        self._fitted: _Stored | None = None

    def fit(
        self,
        embeddings: Embeddings,
        labels: Labels,
        groups: Sequence[str | None],
        n_labels: int,
        *,
        hubs: Vector | None = None,
        seed: int = 0,
    ) -> Self:
        """Learns from stored cases: rows ``(n, dim)``, label indices and groups ``(n,)``.

        A temperature that the weighting already has is kept, and so are known ``hubs``, ``(n,)``, NaN where a row is
        new: an archive that grows by a case is not measured all over again.
        """
        rows, codes = np.asarray(embeddings, np.float32), _group_codes(groups)
        rng = np.random.default_rng(seed)
        references = np.sort(rng.permutation(len(rows))[:REFERENCES])
        self._fitted = _Stored(rows, np.asarray(labels, np.int64), n_labels, np.zeros(len(rows)))
        found = np.full(len(rows), np.nan) if hubs is None else hubs.copy()
        for part in _parts(np.flatnonzero(np.isnan(found))):
            found[part] = hubness(self._others(rows, codes, part, references), self.weighting.local)
        self._fitted.hubs = found
        if self.weighting.temperature is None:
            held_out = np.sort(rng.permutation(len(rows))[:_HELD_OUT])
            fitted = fit_temperature(self._leave_one_out(codes, held_out), self._fitted.labels[held_out])
            self.weighting = self.weighting.model_copy(update={"temperature": fitted})
        return self

    def distribution(self, query: Vector | Embeddings, exclude: NDArray[np.bool_] | None = None) -> Vector:
        """Label distribution of shape ``(n_labels,)`` under a uniform prior; ``exclude`` masks stored rows.

        Raises ``NotFitted`` before ``fit``.
        """
        return self.shares(self.nearness(query, exclude))

    def nearness(self, query: Vector | Embeddings, exclude: NDArray[np.bool_] | None = None) -> Vector:
        """How near each label's best cases are, hub-corrected, shape ``(n_labels,)``; ``-inf`` without any case.

        The largest tells the familiar from the unfamiliar. Raises ``NotFitted`` before ``fit``.
        """
        return self.nearness_of(self.similarities(query), exclude)

    def similarities(self, query: Vector | Embeddings) -> Vector:
        """Cosine of a query with each stored row, shape ``(n,)``; raises ``NotFitted`` before ``fit``."""
        found: Vector = products(self._stored().embeddings, np.asarray(query, np.float32)).astype(float)
        return found

    def nearness_of(self, similarities: Vector, exclude: NDArray[np.bool_] | None = None) -> Vector:
        """``nearness``, given the query's similarity to each stored row, shape ``(n,)``."""
        open_to = similarities if exclude is None else np.where(exclude, -np.inf, similarities)
        scores: Vector = self._scores(open_to[None])[0]
        return scores

    def shares(self, nearness: Vector) -> Vector:
        """The label distribution, shape ``(n_labels,)``, that the labels' ``nearness`` implies."""
        shares: Vector = distribution(nearness[None], self.weighting.temperature or 1.0)[0]
        return shares

    @property
    def hubs(self) -> Vector:
        """How near each stored row is to everything, shape ``(n,)``."""
        return self._stored().hubs

    def vote(self, similarities: Vector, labels: Labels) -> Vector:
        """Label shares among the nearest cases, given their similarities and label indices."""
        return vote(similarities, labels, self._stored().n_labels, self.weighting.vote_temperature)

    def _stored(self) -> "_Stored":
        if self._fitted is None:
            raise NotFitted("the neighbour model has not been fitted: call fit with the stored cases first")
        return self._fitted

    def _scores(self, similarities: Matrix) -> Matrix:
        stored = self._stored()
        return class_scores(similarities, stored.hubs, stored.labels, stored.n_labels, self.weighting.top)

    def _leave_one_out(self, codes: Labels, chosen: Labels) -> Matrix:
        stored = self._stored()
        everyone = np.arange(len(stored.embeddings))
        scores = [self._scores(self._others(stored.embeddings, codes, part, everyone)) for part in _parts(chosen)]
        return np.concatenate(scores or [np.zeros((0, stored.n_labels))])

    @staticmethod
    def _others(rows: Embeddings, codes: Labels, part: Labels, columns: Labels) -> Matrix:
        """Similarities of some rows to others, without themselves and their group."""
        similarities = (rows[part] @ rows[columns].T).astype(float)
        similarities[codes[part][:, None] == codes[columns][None]] = -np.inf
        return similarities


class _Stored:
    def __init__(self, embeddings: Embeddings, labels: Labels, n_labels: int, hubs: Vector) -> None:
        self.embeddings, self.labels, self.n_labels, self.hubs = embeddings, labels, n_labels, hubs


def _group_codes(groups: Sequence[str | None]) -> Labels:
    """A number for each group; a case without a group is a group of its own."""
    numbers: dict[str | int, int] = {}
    keys = [group if group is not None else i for i, group in enumerate(groups)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _parts(positions: Labels) -> list[Labels]:
    return [positions[start : start + _CHUNK] for start in range(0, len(positions), _CHUNK)]
