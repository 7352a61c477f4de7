"""What chance may explain: intervals over whole groups, paired tests, and the cost of picking the best of many."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from doubleread.core.trust import Estimate
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.metrics import wilson
from doubleread.orchestrator.metrics.draws import Draws

FLIPS = 5000
"""Draws behind a p-value: none is smaller than about 1 in 5,000."""
_AT_ONCE = 500


class Resamples:
    """The same bootstrap samples of whole groups for every figure, so that differences are paired."""

    def __init__(self, groups: Sequence[str] | None, n: int, draws: int, seed: int) -> None:
        self.draws = Draws(groups or [None] * n, draws=draws, seed=seed)
        self.codes, self.n = self.draws.codes, n
        self._sizes = self.draws.sums(np.ones((n, 1)))[1:]

    def sums(self, values: NDArray[np.generic]) -> Matrix:
        """Sums of the columns of ``values``, ``(n, c)``, in each sample, divided by its cases: ``(draws, c)``."""
        return np.asarray(self.draws.sums(values)[1:] / self._sizes)

    def mean(self, values: NDArray[np.generic]) -> Estimate:
        """The mean of ``values``, ``(n,)``, with its 95 % interval."""
        return interval(float(values.mean()), self.sums(values[:, None])[:, 0])

    def share(self, flags: NDArray[np.generic]) -> Estimate:
        """A share of cases; Wilson's interval where all are alike, which a bootstrap takes for certain."""
        found = self.mean(flags.astype(float))
        if 0 < found.value < 1:
            return found
        low, high = wilson(int(flags.sum()), len(flags))
        return Estimate(value=found.value, low=low, high=high)


def interval(value: float, drawn: Vector) -> Estimate:
    """A figure with the 2.5th and 97.5th percentile of what samples gave."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(value=value, low=float(low), high=float(high))


def paired_tests(differences: Matrix, codes: Labels, seed: int) -> Vector:
    """p-values of "it makes no difference", of columns ``(n, c)``: whole groups swap sides (sign-flip test)."""
    by_group = np.stack([np.bincount(codes, column) for column in differences.T], axis=1)
    seen, rng, beyond = np.abs(by_group.sum(axis=0)), np.random.default_rng(seed), np.zeros(differences.shape[1])
    for start in range(0, FLIPS, _AT_ONCE):
        signs = rng.choice([-1.0, 1.0], size=(min(_AT_ONCE, FLIPS - start), len(by_group)))
        beyond += (np.abs(signs @ by_group) >= seen - 1e-12).sum(axis=0)
    return np.asarray((beyond + 1) / (FLIPS + 1))


def holm(p: Vector) -> Vector:
    """p-values that hold for all tests together (Holm 1979)."""
    order, m = np.argsort(p, kind="stable"), len(p)
    adjusted = np.empty(m)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(m, 0, -1)))
    return adjusted


def picked_elsewhere(costs: Matrix, parts: Labels) -> Labels:
    """For each case the variant that was cheapest on the cases of the other parts, shape ``(n,)``.

    ``costs`` is ``(n, variants)``, ``parts`` numbers each case's part, ``(n,)``. The first of equals is picked, and the
    first of all where there is a single part.
    """
    picked = np.zeros(len(costs), dtype=np.int64)
    for part in np.unique(parts):
        here = parts == part
        if not here.all():
            picked[here] = int(np.round(costs[~here].mean(axis=0), 12).argmin())
    return picked
