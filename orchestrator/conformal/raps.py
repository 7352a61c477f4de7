"""RAPS: APS with a price on every label too many."""

import numpy as np
from pydantic import Field

from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.conformal.aps import Aps, ranks
from doubleread.orchestrator.conformal.score import Chosen, Score, cases_needed, quantile

PENALTIES = (0.001, 0.01, 0.1, 0.2, 0.5)
"""What ``penalty`` is chosen from: the grid of the paper's appendix E."""
SHARE = 5
"""One held-out case in so many goes into choosing the parameters, and into nothing else."""


class Raps(Score):
    """APS plus ``penalty`` for every rank beyond ``free``.

    Both are chosen on a random fifth of the held-out cases, which then has no part in the thresholds (algorithms 3
    and 4): ``free`` is the rank that holds the true label with the promised frequency, ``penalty`` the one that gives
    the smallest sets. A fifth that is too small to promise anything chooses nothing: the defaults stay, and every
    case goes into the thresholds. Source: Angelopoulos, Bates, Malik and Jordan 2021.
    """

    penalty: float = Field(default=0.1, ge=0)
    free: int = Field(default=1, ge=0)

    @classmethod
    def choose(cls, P: Matrix, y: Labels, u: Vector, coverage: float) -> Chosen:
        """The parameters of a random fifth; the other rows are left for the thresholds."""
        shuffled = np.random.default_rng(0).permutation(len(y))
        part, rest = np.sort(shuffled[: len(y) // SHARE]), np.sort(shuffled[len(y) // SHARE :])
        if len(part) < cases_needed(coverage):
            return Chosen(cls(), np.arange(len(y)))
        true_ranks = ranks(P[part])[np.arange(len(part)), y[part]].astype(float)
        free = int(quantile(true_ranks, coverage))
        candidates = [cls(penalty=penalty, free=free) for penalty in PENALTIES]
        sizes = [_size(score, P[part], y[part], u[part], coverage) for score in candidates]
        return Chosen(candidates[int(np.argmin(sizes))], rest)

    def of(self, P: Matrix, u: Vector) -> Matrix:
        """APS, and ``penalty`` times the ranks beyond ``free``."""
        return Aps().of(P, u) + self.penalty * np.maximum(ranks(P) - self.free, 0)


def _size(score: Score, P: Matrix, y: Labels, u: Vector, coverage: float) -> float:
    """Mean number of labels within the threshold."""
    threshold = quantile(score.of_truth(P, y, u), coverage)
    return float((score.of(P, u) <= threshold).sum(axis=1).mean())
