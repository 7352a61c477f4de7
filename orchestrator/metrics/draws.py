"""Bootstrap of whole groups for many metrics at once: sums over the cases of every draw by matrix products.

The first row of every result is the sample itself, the others are the draws; metrics are computed from the sums of each
row. The draws equal those of ``resampling.bootstrap`` with the same seed.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from doubleread.core.trust import Estimate
from doubleread.core.types import Matrix, Vector
from doubleread.orchestrator.metrics import wilson
from doubleread.orchestrator.resampling import group_codes

_CELLS = 1_000_000
"""Array elements expanded at a time."""


class Draws:
    """Counts of each group of ``n`` cases in the sample (1) and in each draw, shape ``(1 + draws, clusters)``."""

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
        """Yields the counts of the cases ``rows`` for parts of the draws, shape ``(some, len(rows))``."""
        codes = self.codes[rows]
        return (self.counts[part][:, codes].astype(float) for part in self._parts(len(codes)))

    def mean(self, values: NDArray[np.generic], rows: NDArray[np.bool_] | None = None) -> Estimate | None:
        """Mean of ``values``, shape ``(n,)``, over the cases ``rows``; None without any."""
        kept = np.ones(self.n, bool) if rows is None else rows
        return estimate(ratio(self.total(values[kept], kept), self.total(np.ones(kept.sum()), kept)))

    def share(self, flags: NDArray[np.bool_], rows: NDArray[np.bool_] | None = None) -> Estimate | None:
        """Share of true ``flags``, shape ``(n,)``, among ``rows``; Wilson interval if all are equal."""
        kept = np.ones(self.n, bool) if rows is None else rows
        return with_wilson(self.mean(flags, kept), int(kept.sum()))

    def _parts(self, width: int) -> Iterator[slice]:
        step = max(1, _CELLS // max(1, width))
        return (slice(start, start + step) for start in range(0, len(self.counts), step))


def percentiles(values: Vector, shares: tuple[float, ...], draws: Draws) -> list[Vector]:
    """For each share the smallest value that this share of cases does not exceed, shape ``(1 + draws,)`` each."""
    order = np.argsort(values, kind="stable")
    found: list[list[Vector]] = [[] for _ in shares]
    for times in draws.times(order):
        reached = np.cumsum(times, axis=1)
        for parts, share in zip(found, shares, strict=True):
            place = (reached >= share * reached[:, -1:] - 1e-9).argmax(axis=1)
            parts.append(values[order][place])
    return [np.concatenate(parts) for parts in found]


def estimate(values: Vector) -> Estimate | None:
    """Value of the sample (the first) with the bootstrap interval; None if it is undefined.

    Draws with an undefined value are ignored.
    """
    if not np.isfinite(values[0]):
        return None
    low, high = np.nanquantile(values[1:], [0.025, 0.975]) if np.isfinite(values[1:]).any() else (values[0], values[0])
    return Estimate(value=float(values[0]), low=float(low), high=float(high))


def with_wilson(found: Estimate | None, n: int) -> Estimate | None:
    """The share; if it is 0 or 1, where draws do not vary, with the Wilson interval for ``n`` cases."""
    if found is None or 0 < found.value < 1:
        return found
    interval = wilson(round(found.value * n), n)
    return Estimate(value=found.value, low=interval.low, high=interval.high)


def ratio(above: Matrix, below: Matrix) -> Matrix:
    """Quotients, NaN for denominators of 0."""
    out = np.full(np.broadcast_shapes(above.shape, below.shape), np.nan)
    return np.asarray(np.divide(above, below, out=out, where=below > 0))


def certain(found: Estimate | None) -> Estimate:
    """Narrows the type of an estimate that cannot be None here."""
    assert found is not None
    return found
