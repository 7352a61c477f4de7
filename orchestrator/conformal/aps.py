"""APS: a label fits as badly as the probability heaped up before it."""

import numpy as np

from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.conformal.score import Score


class Aps(Score):
    """The probability of all likelier labels, and a chance share of its own; larger sets on harder cases.

    Without the chance share the sets are far too large. Source: Romano, Sesia and Candès 2020, section 2.
    """

    def of(self, P: Matrix, u: Vector) -> Matrix:
        """For the r-th likeliest label ``p(1) + … + p(r-1) + u p(r)``."""
        descending = -np.sort(-P, axis=1, kind="stable")
        before = np.cumsum(descending, axis=1) - descending
        heaped = before + u[:, None] * descending
        return np.asarray(np.take_along_axis(heaped, ranks(P) - 1, axis=1))


def ranks(P: Matrix) -> Labels:
    """1 for the likeliest label of a row, k for the least; of equals the first in task order comes first."""
    order = np.argsort(-P, axis=1, kind="stable")
    found = np.empty_like(order)
    np.put_along_axis(found, order, np.arange(1, P.shape[1] + 1)[None, :], axis=1)
    return found
