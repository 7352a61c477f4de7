"""How much evidence several correlated agents amount to."""

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Vector


def effective(present: NDArray[np.generic], rho: float) -> Vector:
    """Effective number of independent opinions of ``m`` agents: ``m / (1 + (m - 1) rho)``, shape ``(n,)``.

    ``present`` holds m for each case. One agent always counts as one; copies of one agent (rho = 1) count as one;
    independent agents (rho = 0) count in full. Source: the design effect of equally correlated observations
    (Kish 1965).
    """
    m = np.asarray(present, dtype=float)
    return np.asarray(m / (1 + np.maximum(m - 1, 0) * rho))
