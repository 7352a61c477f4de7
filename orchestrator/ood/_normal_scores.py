"""Normal scores: how unusually high each value is among the others.

Both functions are independent of the order of values and work on the last axis of arrays ``(…, n)``.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]


def normal_scores(values: Floats) -> Floats:
    """Normal score of each value by its rank (van der Waerden 1952), shape as ``values``; ignores scale and skew.

    Ties share their mean rank. NaN does not count and scores 0.
    """
    there = ~np.isnan(values)
    known = np.maximum(there.sum(axis=-1, keepdims=True), 1)
    return np.asarray(ndtri(np.where(there, _middles(values) / known, 0.5)))


def open_ended_scores(values: Floats) -> Floats:
    """Normal scores that also measure how far a single largest value exceeds the others.

    Its score is extrapolated linearly from the median through the second largest value.
    """
    scores, ordered = normal_scores(values), np.sort(values, axis=-1)  # NaN last
    if values.shape[-1] < 2:
        return scores
    known = np.isfinite(ordered).sum(axis=-1, keepdims=True)
    largest, second = _at(ordered, known - 1), _at(ordered, known - 2)
    middle = (_at(ordered, (known - 1) // 2) + _at(ordered, known // 2)) / 2
    reach = second - middle
    alone = (known > 1) & (largest > second) & (reach > 0)
    stretch = np.where(alone, (largest - middle) / np.where(alone, reach, 1.0), 1.0)
    return np.asarray(np.where(values == largest, scores * stretch, scores))


def _middles(values: Floats) -> Floats:
    """Midpoint of the numbers of smaller and of not larger values."""
    n, order = values.shape[-1], np.argsort(values, axis=-1)
    ordered = np.take_along_axis(values, order, axis=-1)
    edge = np.ones((*values.shape[:-1], n + 1), dtype=bool)  # starts of runs of ties, and the end of the last one
    edge[..., 1:-1] = ordered[..., 1:] != ordered[..., :-1]
    places = np.arange(n + 1)
    below = np.maximum.accumulate(np.where(edge, places, 0), axis=-1)[..., :-1]
    up_to = np.minimum.accumulate(np.where(edge, places, n)[..., ::-1], axis=-1)[..., ::-1][..., 1:]
    middles = np.empty(values.shape)
    np.put_along_axis(middles, order, (below + up_to) / 2, axis=-1)
    return middles


def _at(ordered: Floats, place: NDArray[np.int64]) -> Floats:
    """The value at an index of each row, ``(…, 1)``; the index is clipped."""
    return np.take_along_axis(ordered, np.clip(place, 0, ordered.shape[-1] - 1), axis=-1)
