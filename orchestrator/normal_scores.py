"""How unusually high each of some values is among all the others, on the scale of a standard normal variable.

Both functions are symmetric: they treat all values alike, whatever their order.
"""

import numpy as np
from scipy.special import ndtri

from doubleread.core.types import Vector


def normal_scores(values: Vector) -> Vector:
    """Each value's normal score by its rank (van der Waerden 1952), shape ``(n,)``: blind to scale and skew.

    Ties share the middle of their ranks. NaN is unknown: it does not count, and scores 0, the middle.
    """
    scores, there = np.zeros(len(values)), ~np.isnan(values)
    x = np.asarray(values, dtype=float)[there]
    ordered = np.sort(x)
    below, up_to = np.searchsorted(ordered, x, side="left"), np.searchsorted(ordered, x, side="right")
    scores[there] = ndtri((below + up_to) / 2 / max(len(x), 1))
    return scores


def open_ended_scores(values: Vector) -> Vector:
    """The same, but how far a single largest value lies beyond the others counts as well.

    Its score goes on in a straight line from the median through the second largest value.
    """
    scores, x = normal_scores(values), np.sort(values[~np.isnan(values)])
    if len(x) < 2 or x[-1] == x[-2]:
        return scores
    middle = float(np.median(x))
    if (reach := float(x[-2]) - middle) > 0:
        scores[values == x[-1]] *= (float(x[-1]) - middle) / reach
    return scores
