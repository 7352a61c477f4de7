"""The finite-sample quantile, and how many cases it needs."""

import numpy as np

from doubleread.core.types import Vector


def cases_needed(coverage: float) -> int:
    """Fewest held-out cases that can promise ``coverage``: 9 for 90 %, 19 for 95 %."""
    return int(np.ceil(coverage / (1 - coverage) - 1e-9))


def quantile(scores: Vector, coverage: float) -> float:
    """The ceil((n + 1) * coverage)-th smallest score; there must be ``cases_needed`` of them."""
    rank = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
    return float(np.sort(scores)[rank - 1])
