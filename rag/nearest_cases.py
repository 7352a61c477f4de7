"""Estimates the label distribution of a query from similar stored cases, by exact search in memory.

Similarities are cosines, ``-inf`` for excluded cases. The scores follow cross-domain similarity local scaling (CSLS;
Conneau et al. 2018, section 2.3): a stored case that is near to everything (a hub) counts less.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from doubleread.core.base import Record
from doubleread.core.errors import NotFitted
from doubleread.core.types import Embeddings, Labels, Matrix, Vector
from doubleread.rag.stores.stored_rows import products

_PRIOR_SHARE = 9.0  # the prior temperature gives the median case's best label .9 against the second
_PRIOR_SPREAD = 1.0
_LEAST = 1e-4
_CHUNK = 1000
REFERENCES = 5000
"""Above this number of cases, hubness is measured against a random sample of this size."""
_HELD_OUT = 2000


def hubness(similarities: Matrix, local: int) -> Vector:
    """Returns the mean similarity of each row to its ``local`` nearest cases, shape ``(n,)``; 0 for an empty row."""
    return mean_of_top(similarities, local, empty=0.0)


def mean_of_top(similarities: Matrix, top: int, *, empty: float = -np.inf) -> Vector:
    """Returns the mean of each row's ``top`` largest finite values, or of all if fewer; ``empty`` without any."""
    width = min(top, similarities.shape[1])
    if width == 0:
        return np.full(len(similarities), empty)
    largest = np.partition(similarities, -width, axis=1)[:, -width:]
    finite = np.isfinite(largest)
    n = finite.sum(axis=1)
    total = np.where(finite, largest, 0.0).sum(axis=1)
    return np.where(n > 0, total / np.maximum(n, 1), empty)


def class_scores(similarities: Matrix, hubs: Vector, labels: Labels, n_labels: int, top: int) -> Matrix:
    """Returns class-balanced scores ``(n, n_labels)``: the mean CSLS of the ``top`` best cases of each class.

    ``similarities`` is ``(n, cases)``, ``hubs`` and ``labels`` are ``(cases,)``. A class without cases scores ``-inf``.
    """
    scaled = 2 * similarities - hubs
    return np.stack([mean_of_top(scaled[:, labels == label], top) for label in range(n_labels)], axis=1)


def distribution(scores: Matrix, temperature: float) -> Matrix:
    """Returns the softmax of class scores, rows summing to 1.

    A class without cases gets the probability of the least likely class that has some: there is no evidence against it.
    """
    filled = _filled(scores)
    weights = np.exp((filled - filled.max(axis=1, keepdims=True)) / temperature)
    shares: Matrix = weights / weights.sum(axis=1, keepdims=True)
    return shares


def vote(similarities: Vector, labels: Labels, n_labels: int, temperature: float) -> Vector:
    """Returns the label shares of the given neighbours, each weighted by the softmax of its similarity.

    One extra vote is spread evenly over all labels, so that ``k`` cases alone never rule out a label.
    """
    if not len(labels):
        return np.full(n_labels, 1 / n_labels)
    weights = np.exp((similarities - similarities.max()) / temperature)
    shares = np.bincount(labels, weights / weights.sum(), minlength=n_labels)
    smoothed: Vector = (shares * len(labels) + 1 / n_labels) / (len(labels) + 1)
    return smoothed


def prior_temperature(scores: Matrix) -> float:
    """Returns the temperature at which the median row gives its best label .9 against its second."""
    ordered = np.sort(_filled(scores), axis=1)
    margin = float(np.median(ordered[:, -1] - ordered[:, -2])) if len(ordered) else 0.0
    return max(margin / float(np.log(_PRIOR_SHARE)), _LEAST)


def fit_temperature(scores: Matrix, labels: Labels) -> float:
    """Returns the maximum a posteriori temperature for held-out scores ``(n, n_labels)`` and their true labels.

    The prior of its logarithm is normal around ``prior_temperature``, which prevents overconfidence from a few easy
    cases. Rows whose true class has no case are left out; without any row, the result is the prior's.
    """
    usable = np.isfinite(scores[np.arange(len(labels)), labels])
    scores, labels = scores[usable], labels[usable]
    centre = float(np.log(prior_temperature(scores)))
    if not len(labels):
        return float(np.exp(centre))

    def loss(log_temperature: float) -> float:
        shares = distribution(scores, float(np.exp(log_temperature)))
        right = shares[np.arange(len(labels)), labels]
        misfit = -float(np.log(np.maximum(right, 1e-300)).sum())
        return misfit + (log_temperature - centre) ** 2 / (2 * _PRIOR_SPREAD**2)

    best = minimize_scalar(loss, bounds=(centre - 5, centre + 5), method="bounded")
    return float(np.exp(best.x))


def _filled(scores: Matrix) -> Matrix:
    """Replaces the scores of missing classes by the lowest score of the row."""
    present = np.isfinite(scores)
    least = np.where(present, scores, np.inf).min(axis=1, keepdims=True)
    return np.where(present, scores, np.where(np.isfinite(least), least, 0.0))


class Weighting(Record):
    """Weights of neighbours; a ``temperature`` of None is fitted on the stored cases."""

    top: int = 5
    """Number of best cases of each class that count."""
    local: int = 10
    """Number of nearest cases over which the hubness of a stored case is averaged."""
    temperature: float | None = None
    vote_temperature: float = 0.05
    """Temperature of the vote over the nearest cases."""


@dataclass
class _StoredCases:
    embeddings: Embeddings
    labels: Labels
    n_labels: int
    hubs: Vector


class NeighbourModel:
    """Class-balanced label distribution of a query, corrected for hubs.

    The temperature is fitted by leave-one-out over at most 2,000 stored cases, excluding each case's group. Above 5,000
    cases, hubness is measured against a fixed random 5,000 of them.
    """

    def __init__(self, weighting: Weighting | None = None) -> None:
        self.weighting = weighting or Weighting()
        self._fitted: _StoredCases | None = None

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
        """Fits to stored cases: rows ``(n, dim)``, label indices and groups ``(n,)``.

        A temperature that the weighting already has is kept. Known ``hubs`` ``(n,)`` are kept too, NaN for new rows, so
        that adding a case does not recompute all of them.
        """
        rows, codes = np.asarray(embeddings, np.float32), _group_codes(groups)
        rng = np.random.default_rng(seed)
        references = np.sort(rng.permutation(len(rows))[:REFERENCES])
        self._fitted = _StoredCases(rows, np.asarray(labels, np.int64), n_labels, np.zeros(len(rows)))
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
        """Returns the label distribution ``(n_labels,)`` under a uniform prior; ``exclude`` masks stored rows.

        Raises ``NotFitted`` before ``fit``.
        """
        return self.shares(self.nearness(query, exclude))

    def nearness(self, query: Vector | Embeddings, exclude: NDArray[np.bool_] | None = None) -> Vector:
        """Returns the hub-corrected score of each label's best cases, shape ``(n_labels,)``; ``-inf`` without cases.

        A low maximum marks a query as out-of-distribution. Raises ``NotFitted`` before ``fit``.
        """
        return self.nearness_of(self.similarities(query), exclude)

    def similarities(self, query: Vector | Embeddings) -> Vector:
        """Returns the cosine of a query with each stored row, shape ``(n,)``; raises ``NotFitted`` before ``fit``."""
        return products(self._stored().embeddings, np.asarray(query, np.float32)).astype(float)

    def nearness_of(self, similarities: Vector, exclude: NDArray[np.bool_] | None = None) -> Vector:
        """Returns ``nearness``, given the query's similarity to each stored row, shape ``(n,)``."""
        open_to = similarities if exclude is None else np.where(exclude, -np.inf, similarities)
        return np.asarray(self._scores(open_to[None])[0])

    def shares(self, nearness: Vector) -> Vector:
        """Returns the label distribution that ``nearness`` implies, shape ``(n_labels,)``."""
        return np.asarray(distribution(nearness[None], self.weighting.temperature or 1.0)[0])

    @property
    def hubs(self) -> Vector:
        """Hubness of each stored row, shape ``(n,)``."""
        return self._stored().hubs

    def vote(self, similarities: Vector, labels: Labels) -> Vector:
        """Returns label shares among the nearest cases, given their similarities and label indices."""
        return vote(similarities, labels, self._stored().n_labels, self.weighting.vote_temperature)

    def _stored(self) -> _StoredCases:
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
        """Returns similarities of some rows to others, with the row itself and its group masked."""
        similarities = (rows[part] @ rows[columns].T).astype(float)
        similarities[codes[part][:, None] == codes[columns][None]] = -np.inf
        return similarities


def _group_codes(groups: Sequence[str | None]) -> Labels:
    """Returns an integer for each group; a case without a group is its own group."""
    numbers: dict[str | int, int] = {}
    keys = [group if group is not None else i for i, group in enumerate(groups)]
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], np.int64)


def _parts(positions: Labels) -> list[Labels]:
    return [positions[start : start + _CHUNK] for start in range(0, len(positions), _CHUNK)]
