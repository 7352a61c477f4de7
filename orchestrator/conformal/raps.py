"""RAPS: APS with a price on every label too many."""

import numpy as np

from doubleread.core.types import Matrix, Vector
from doubleread.orchestrator.conformal.aps import aps, ranks

PENALTY, FREE = 0.1, 1
"""The paper's lambda and k_reg. Fixed beforehand, so that no case is spent on choosing them and none is judged by its
own choice. Its k_reg of 5 is meant for a thousand labels and would never tell on a task with five or fewer."""


def raps(P: Matrix, u: Vector) -> Matrix:
    """APS plus ``PENALTY`` for every rank beyond ``FREE``. Source: Angelopoulos, Bates, Malik and Jordan 2021."""
    return aps(P, u) + PENALTY * np.maximum(ranks(P) - FREE, 0)
