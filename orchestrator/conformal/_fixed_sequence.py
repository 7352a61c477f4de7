"""The lowest threshold whose risk is shown to stay within a limit: fixed-sequence testing from several starts.

Learn then Test (Angelopoulos et al. 2022, section 2.3) lowers a threshold step by step as long as an exact test passes,
from starts that share ``delta``. Here the starts are ranks m, 2m, 4m, … of the held-out scores, m the fewest cases
that can pass without an error. A grid of thresholds fixed beforehand would need a scale, and ranks have none.

Why ranks keep the promise, though the data turn them into thresholds. Let R(t) be the risk of all cases that score
above t. (1) A start at rank m tests the m cases above the (m + 1)-th score. Given that score they are independent draws
from all cases above it: where R exceeds the limit there, the test passes with at most the start's share of delta.
(2) From a start where R is within the limit, nothing worse is declared before the walk has passed b, the first
threshold below it with R(b) above the limit; where no case lies at b, the next test counts the same cases. Which b that
is depends on where the start fell: more than m cases lie above b, at most m above c, where R last came back within the
limit. Given both counts, errors above b are two binomials, of a rate within the limit above c and beyond it between c
and b; that few cases lie above c can only mean more errors. So the exact test at b passes with at most the start's
share. Neither step needs a risk that falls as the threshold rises, nor scores without ties.

A single start spends all of delta but fails for good where it fails; tests at the ranks alone, without the walk, are as
sound but commit far less. The binary search of Geifman and El-Yaniv 2017 goes where earlier tests send it, and a union
bound over its steps does not cover all the paths it might have taken.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from doubleread.core.types import Labels, Vector

EVERY_SCORE = -float(np.finfo(float).max)
"""The threshold that every score reaches."""
Counts = Labels | int


class PassedThreshold(NamedTuple):
    """A threshold that passed: held-out cases at or above it, the errors among them, and the bound on the risk."""

    threshold: float
    above: int
    wrong: int
    bound: float


def lowest_threshold(scores: Vector, correct: NDArray[np.bool_], risk: float, delta: float) -> PassedThreshold | None:
    """The furthest step down that is reached from any start without a step that fails; None where there is none.

    ``scores`` (higher is surer) and ``correct`` have shape ``(n,)``.
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
    """Fewest cases, all right, that show a risk of at most ``risk``: (1 - risk)^n <= delta; 45 for 5 % and 10 %."""
    return int(np.ceil(np.log(delta) / np.log1p(-risk) - 1e-9))


def ranks_to_start_at(n: int, risk: float, delta: float) -> list[int]:
    """m, 2m, 4m, … up to ``n``, as many as fit when they share ``delta``; empty where not even one does."""
    count = 0
    while errorless_cases(risk, delta / (count + 1)) * 2**count <= n:
        count += 1
    return [errorless_cases(risk, delta / count) * 2**i for i in range(count)]


def upper_bound(wrong: Counts, n: Counts, delta: float) -> Vector:
    """Exact upper bound on an error rate, confidence ``1 - delta``, where ``wrong`` of ``n`` were errors.

    Source: Clopper and Pearson 1934.
    """
    return np.where(wrong == n, 1.0, beta.ppf(1 - delta, wrong + 1.0, np.maximum(np.subtract(n, wrong), 1)))


@dataclass(frozen=True)
class _Ladder:
    """Every threshold that tells held-out cases apart, strictest first, with the cases above it and their errors."""

    thresholds: Vector
    above: Labels
    wrong: Labels
    errors: Labels
    """Among the first 1, 2, … n cases, surest first."""

    @classmethod
    def of(cls, scores: Vector, correct: NDArray[np.bool_]) -> "_Ladder":
        """Of tied cases a shuffle decides which comes first: held-out cases may have been given in a telling order."""
        shuffle = np.random.default_rng(0).permutation(len(scores))
        order = np.lexsort((shuffle, -scores))
        ranked, errors = scores[order], np.cumsum((~correct[order]).astype(np.int64))
        above = np.append(np.flatnonzero(ranked[1:] < ranked[:-1]) + 1, len(scores))
        # A bound speaks of all cases strictly above the next lower score, whatever lies between.
        thresholds = np.append(np.nextafter(ranked[above[:-1]], np.inf), EVERY_SCORE)
        return cls(thresholds, above, errors[above - 1], errors)


def _walk(passes: NDArray[np.bool_], start: int) -> int:
    """The last step before the first that fails, from ``start`` on; -1 where ``start`` itself fails."""
    failures = np.flatnonzero(~passes[start:])
    if len(failures) == 0:
        return len(passes) - 1
    return start + int(failures[0]) - 1 if failures[0] > 0 else -1
