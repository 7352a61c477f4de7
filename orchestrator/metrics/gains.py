"""Differences and shares with their uncertainty: gains clustered by group, design effects, Wilson's interval."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from doubleread.core.types import Vector
from doubleread.orchestrator.resampling import group_codes

FEWEST_GROUPS = 20
"""Groups below which a standard error clustered by group is unreliable (Cameron and Miller 2015)."""

Groups = Sequence[str | None] | NDArray[np.generic] | None


class Interval(NamedTuple):
    """A confidence interval."""

    low: float
    high: float


class Gain(NamedTuple):
    """A mean gain of one candidate over another on held-out cases, and its standard error clustered by group."""

    mean: float
    error: float
    """Infinite where there are not two groups to tell it from."""

    @property
    def clear(self) -> bool:
        """Whether the gain exceeds one standard error: the rule by which every choice is made."""
        return self.beyond(1.0)

    def beyond(self, errors: float) -> bool:
        """Whether the gain exceeds so many standard errors."""
        return self.mean > errors * self.error

    @property
    def line(self) -> str:
        """For people: the gain and how sure it is."""
        if not np.isfinite(self.error):
            return f"{self.mean:+.3f}, from too few groups to tell"
        return f"{self.mean:+.3f} ± {self.error:.3f}"


def clustered(values: Vector, groups: Groups = None) -> Gain:
    """The mean of per-case gains ``(n,)`` and its standard error, whole groups taken as the independent units.

    ``SE² = G / (G - 1) · Σ_g (Σ_{i in g} (v_i - mean))² / n²`` (Liang and Zeger 1986, for a mean); without groups this
    is the ordinary standard error.
    """
    n = len(values)
    codes = group_codes(groups, n)
    if n == 0 or len(np.unique(codes)) < 2:
        return Gain(float(np.mean(values)) if n else 0.0, float("inf"))
    mean = float(values.mean())
    sums = np.bincount(codes, values - mean)
    count = len(np.unique(codes))
    return Gain(mean, float(np.sqrt(count / (count - 1) * (sums**2).sum()) / n))


def design_effect(values: Vector, groups: Groups = None) -> float:
    """How many cases of ``values`` ``(n,)`` tell as much as one that stands alone: ``SE_clustered² / SE²``, 1 to n / G.

    Source: Kish 1965, the design effect of cluster samples.
    """
    n, found = len(values), len(np.unique(group_codes(groups, len(values)))) if len(values) else 0
    if found < 2 or np.ptp(values) < 1e-12:
        return 1.0
    return float(np.clip((clustered(values, groups).error / clustered(values).error) ** 2, 1.0, n / found))


def wilson(right: int, n: int, level: float = 0.95) -> Interval:
    """Wilson score interval of a proportion (Wilson 1927); the whole of [0, 1] where n is 0."""
    if n == 0:
        return Interval(0.0, 1.0)
    z = float(ndtri((1 + level) / 2))
    p, spread = right / n, z * z / n
    centre = (p + spread / 2) / (1 + spread)
    half = z / (1 + spread) * float(np.sqrt(p * (1 - p) / n + spread / (4 * n)))
    # at the ends the bound is exactly 0 or 1, which rounding would miss
    return Interval(centre - half if right else 0.0, centre + half if right < n else 1.0)
