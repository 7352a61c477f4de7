"""RAPS: APS with a penalty on every additional label."""

import numpy as np

from doubleread.core.types import Matrix, Vector
from doubleread.orchestrator.conformal.aps import aps, ranks

PENALTY, FREE = 0.1, 1
"""The paper's lambda, and 1 for its k_reg: 5 is meant for a thousand labels and has no effect on five or fewer.

Both are fixed in advance, so that no case is used to select them or is judged by its own selection.
"""


def raps(P: Matrix, u: Vector) -> Matrix:
    """APS plus ``PENALTY`` for every rank beyond ``FREE``. Source: Angelopoulos, Bates, Malik and Jordan 2021."""
    return aps(P, u) + PENALTY * np.maximum(ranks(P) - FREE, 0)
