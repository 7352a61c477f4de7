"""Bootstrap of whole groups for many figures at once: sums over cases of every draw, as one product of matrices.

The first row of all that comes out is the sample itself, the others are the draws; figures are made of sums, row by
row. The draws are those that ``resampling.bootstrap`` makes from the same seed.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from doubleread.core.trust import Estimate
from doubleread.core.types import Matrix, Vector
from doubleread.orchestrator.metrics import wilson
from doubleread.orchestrator.resampling import group_codes

_CELLS = 1_000_000
"""Numbers that are unfolded at a time."""


class Draws:
    """How often each group of ``n`` cases is in the sample (once) and in each draw, shape ``(1 + draws, clusters)``."""

    def __init__(self, groups: Sequence[str | None], *, draws: int, seed: int) -> None:
        self.n, self.size, self.seed = len(groups), draws, seed
        self.codes = group_codes(groups, self.n)
        self.clusters = int(self.codes.max(initial=-1)) + 1
        rng = np.random.default_rng(seed)
        self.counts = np.ones((1 + draws, self.clusters), np.uint16)
        for row in self.counts[1:]:
            row[:] = np.bincount(rng.integers(self.clusters, size=self.clusters), minlength=self.clusters)

    def sums(self, columns: NDArray[np.generic], rows: NDArray[np.generic] | slice = slice(None)) -> Matrix:
        """Sums of columns ``(len(rows), m)`` over the cases ``rows``, shape ``(1 + draws, m)``."""
        together = np.zeros((self.clusters, columns.shape[1]))
        np.add.at(together, self.codes[rows], columns)
        parts = [self.counts[part].astype(float) @ together for part in self._parts(self.clusters)]
        return np.concatenate(parts)

    def total(self, values: NDArray[np.generic], rows: NDArray[np.generic] | slice = slice(None)) -> Vector:
        """Sums of one column, shape ``(1 + draws,)``."""
        return np.asarray(self.sums(values[:, None], rows)[:, 0])

    def times(self, rows: NDArray[np.generic]) -> Iterator[Matrix]:
        """How often each of the cases ``rows`` is there, part by part of the draws, shape ``(some, len(rows))``."""
        codes = self.codes[rows]
        return (self.counts[part][:, codes].astype(float) for part in self._parts(len(codes)))

    def mean(self, values: NDArray[np.generic], rows: NDArray[np.bool_] | None = None) -> Estimate | None:
        """The mean of ``values``, shape ``(n,)``, over the cases ``rows``; None where there is none."""
        kept = np.ones(self.n, bool) if rows is None else rows
        return estimate(ratio(self.total(values[kept], kept), self.total(np.ones(kept.sum()), kept)))

    def share(self, flags: NDArray[np.bool_], rows: NDArray[np.bool_] | None = None) -> Estimate | None:
        """The share of true ``flags``, shape ``(n,)``, among ``rows``; Wilson's interval where all are alike."""
        kept = np.ones(self.n, bool) if rows is None else rows
        return with_wilson(self.mean(flags, kept), int(kept.sum()))

    def _parts(self, width: int) -> Iterator[slice]:
        step = max(1, _CELLS // max(1, width))
        return (slice(start, start + step) for start in range(0, len(self.counts), step))


def percentiles(values: Vector, shares: tuple[float, ...], draws: Draws) -> list[Vector]:
    """For each share the smallest value that so many of all cases do not exceed, shape ``(1 + draws,)`` each."""
    order = np.argsort(values, kind="stable")
    found: list[list[Vector]] = [[] for _ in shares]
    for times in draws.times(order):
        reached = np.cumsum(times, axis=1)
        for parts, share in zip(found, shares, strict=True):
            place = (reached >= share * reached[:, -1:] - 1e-9).argmax(axis=1)
            parts.append(values[order][place])
    return [np.concatenate(parts) for parts in found]


def estimate(values: Vector) -> Estimate | None:
    """The figure of the sample (the first) with the interval of the draws; None where it is undefined.

    Draws in which it is undefined are left out.
    """
    if not np.isfinite(values[0]):
        return None
    low, high = np.nanquantile(values[1:], [0.025, 0.975]) if np.isfinite(values[1:]).any() else (values[0], values[0])
    return Estimate(value=float(values[0]), low=float(low), high=float(high))


def with_wilson(found: Estimate | None, n: int) -> Estimate | None:
    """The share, with Wilson's interval where the ``n`` cases behind it are alike: such draws know no doubt."""
    if found is None or 0 < found.value < 1:
        return found
    interval = wilson(round(found.value * n), n)
    return Estimate(value=found.value, low=interval.low, high=interval.high)


def ratio(above: Matrix, below: Matrix) -> Matrix:
    """Quotients, NaN where there is nothing to divide by."""
    out = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    return np.asarray(np.divide(above, below, out=out, where=below > 0))


def certain(found: Estimate | None) -> Estimate:
    """A figure that cannot be undefined where it is asked for."""
    assert found is not None
    return found
