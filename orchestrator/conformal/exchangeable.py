"""Exchangeability of held-out and new cases, by case or by whole group.

Cases of one patient or module are alike, so held-out cases of the same groups say little about a new group. If groups
are known, they are the units and the guarantee is for a case of a new group: every group has the same weight, shared by
its cases, and the new group weighs as much as each of the others (hierarchical conformal prediction: Dunn, Wasserman
and Ramdas 2022; Lee, Barber and Willett 2023).
"""

from dataclasses import dataclass
from typing import Self

import numpy as np

from doubleread.core.types import Labels, Vector
from doubleread.orchestrator.resampling import Groups, group_codes


@dataclass(frozen=True)
class Units:
    """Held-out cases as units of exchangeability: their groups if known, else the cases themselves."""

    weights: Vector
    """Weight of each case, ``1 / ((G + 1) · cases of its group)``, shape ``(n,)``; they sum to ``1 - own``."""
    own: float
    """Weight of the new case's unit, ``1 / (G + 1)``; the smallest possible p-value."""
    count: int
    """G, the number of units."""
    grouped: bool
    """Whether some unit holds several cases, so that the guarantee is for new groups."""

    @classmethod
    def of(cls, groups: Groups, n: int) -> Self:
        """Units of ``n`` held-out cases; a case without a group is its own unit."""
        codes = group_codes(groups, n)
        sizes = np.bincount(codes) if n else np.zeros(0)
        count = len(sizes)
        weights = 1 / ((count + 1) * sizes[codes]) if n else np.zeros(0)
        return cls(np.asarray(weights), 1 / (count + 1), count, count < n)

    def __str__(self) -> str:
        return f"{self.count} {'groups' if self.grouped else 'cases'}"


def one_of_each(groups: Groups, n: int, seed: int = 0) -> Labels:
    """Indices of one randomly drawn held-out case per group; of all cases without groups."""
    codes = group_codes(groups, n)
    order = np.random.default_rng(seed).permutation(n)
    return np.sort(order[np.unique(codes[order], return_index=True)[1]])


def promised_for(groups: Groups, n: int) -> str:
    """Says which new cases a guarantee covers."""
    if groups is not None and any(group is not None for group in groups):
        return "for new groups" if Units.of(groups, n).grouped else "for new cases"
    return "for new images like the calibration images; without groups, this is not promised for new groups"


def units_needed(level: float) -> int:
    """Fewest units that can guarantee a share ``level``: 9 for 90 %, 19 for 95 %, 49 for 98 %."""
    return int(np.ceil(level / (1 - level) - 1e-9))
