"""APS: the score of a label is the cumulated probability of the more likely labels."""

import numpy as np

from doubleread.core.types import Labels, Matrix, Vector


def aps(P: Matrix, u: Vector) -> Matrix:
    """For the r-th likeliest label ``p(1) + … + p(r-1) + u p(r)``: larger sets on harder cases.

    Without randomisation by ``u`` the sets are far too large. Source: Romano, Sesia and Candès 2020, section 2.
    """
    descending = -np.sort(-P, axis=1, kind="stable")
    before = np.cumsum(descending, axis=1) - descending
    heaped = before + u[:, None] * descending
    return np.asarray(np.take_along_axis(heaped, ranks(P) - 1, axis=1))


def ranks(P: Matrix) -> Labels:
    """Rank of each label in its row, 1 for the likeliest, shape ``(n, k)``; ties keep task order."""
    order = np.argsort(-P, axis=1, kind="stable")
    found = np.empty_like(order)
    np.put_along_axis(found, order, np.arange(1, P.shape[1] + 1)[None, :], axis=1)
    return found
