"""Lowest threshold whose risk is proven to stay within a limit: fixed-sequence testing with several starts.

Learn then Test (Angelopoulos et al. 2022, section 2.3) lowers a threshold step by step while an exact test passes, from
starts that share ``delta``. Here the starts are ranks m, 2m, 4m, … of the held-out scores, where m is the fewest cases
that can pass without an error. A fixed grid of thresholds would need a scale; ranks do not.

Why ranks are valid although the data turn them into thresholds. Let R(t) be the risk of all cases that score above t.
(1) A start at rank m tests the m cases above the (m + 1)-th score. Given that score they are independent draws from all
cases above it: if R exceeds the limit there, the test passes with at most the start's share of delta. (2) From a start
where R is within the limit, a false threshold needs a pass at b, the first threshold below the start with R(b) above
the limit; if no case lies at b, the next test counts the same cases. b depends on the start: more than m cases lie
above b and at most m above c, where R last returned within the limit. Given both counts, errors above b are two
binomials, with a rate within the limit above c and beyond it between c and b; few cases above c can only mean more
errors. So the exact test at b passes with at most the start's share. Neither step needs a risk that falls as the
threshold rises, nor scores without ties.

A single start spends all of delta but commits nothing if it fails; tests at the ranks alone, without the walk, are
valid but commit far less. The binary search of Geifman and El-Yaniv 2017 depends on earlier tests, and a union bound
over its steps does not cover all its possible paths.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from doubleread.core.types import Labels, Vector

EVERY_SCORE = -float(np.finfo(float).max)
"""A threshold that every score reaches."""
Counts = Labels | int


class PassedThreshold(NamedTuple):
    """A threshold that passed: held-out cases at or above it, their errors, and the bound on the risk."""

    threshold: float
    above: int
    wrong: int
    bound: float


def lowest_threshold(scores: Vector, correct: NDArray[np.bool_], risk: float, delta: float) -> PassedThreshold | None:
    """Returns the lowest threshold reached from any start without a failed test, or None.

    ``scores`` (higher is more certain) and ``correct`` have shape ``(n,)``.
    """
    starts = ranks_to_start_at(len(scores), risk, delta)
    if not starts:
        return None
    share, ladder = delta / len(starts), _Ladder.of(scores, correct)
    bounds = upper_bound(ladder.wrong, ladder.above, share)
    passing = [m for m in starts if upper_bound(ladder.errors[m - 1], m, share) <= risk]
    reached = [_walk(bounds <= risk, int(np.searchsorted(ladder.above, m))) for m in passing]
    step = max(reached, default=-1)
    if step < 0:
        return None
    return PassedThreshold(
        float(ladder.thresholds[step]), int(ladder.above[step]), int(ladder.wrong[step]), float(bounds[step])
    )


def errorless_cases(risk: float, delta: float) -> int:
    """Fewest errorless cases that prove a risk of at most ``risk``: (1 - risk)^n <= delta; 45 for 5 % and 10 %."""
    return int(np.ceil(np.log(delta) / np.log1p(-risk) - 1e-9))


def ranks_to_start_at(n: int, risk: float, delta: float) -> list[int]:
    """Starts m, 2m, 4m, … up to ``n``, as many as fit when they share ``delta``; empty if none fits."""
    count = 0
    while errorless_cases(risk, delta / (count + 1)) * 2**count <= n:
        count += 1
    return [errorless_cases(risk, delta / count) * 2**i for i in range(count)]


def upper_bound(wrong: Counts, n: Counts, delta: float) -> Vector:
    """Exact upper bound on an error rate with ``wrong`` errors in ``n`` cases, at confidence ``1 - delta``.
    Source: Clopper and Pearson 1934.
    """
    return np.where(wrong == n, 1.0, beta.ppf(1 - delta, wrong + 1.0, np.maximum(np.subtract(n, wrong), 1)))


@dataclass(frozen=True)
class _Ladder:
    """Every threshold that separates held-out cases, highest first, with the cases above it and their errors."""

    thresholds: Vector
    above: Labels
    wrong: Labels
    errors: Labels
    """Errors among the first 1, 2, … n cases, most certain first."""

    @classmethod
    def of(cls, scores: Vector, correct: NDArray[np.bool_]) -> "_Ladder":
        """Ties are shuffled, since the order of the held-out cases may carry information."""
        shuffle = np.random.default_rng(0).permutation(len(scores))
        order = np.lexsort((shuffle, -scores))
        ranked, errors = scores[order], np.cumsum((~correct[order]).astype(np.int64))
        above = np.append(np.flatnonzero(ranked[1:] < ranked[:-1]) + 1, len(scores))
        # A bound covers all cases strictly above the next lower score.
        thresholds = np.append(np.nextafter(ranked[above[:-1]], np.inf), EVERY_SCORE)
        return cls(thresholds, above, errors[above - 1], errors)


def _walk(passes: NDArray[np.bool_], start: int) -> int:
    """Last step before the first failure from ``start`` on; -1 if ``start`` itself fails."""
    failures = np.flatnonzero(~passes[start:])
    if len(failures) == 0:
        return len(passes) - 1
    return start + int(failures[0]) - 1 if failures[0] > 0 else -1
