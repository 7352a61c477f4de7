"""Committing with a promise: at most a share ``risk`` wrong among the committed, with confidence ``1 - delta``."""

from typing import Self

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.types import Vector
from doubleread.orchestrator.conformal._fixed_sequence import errorless_cases, lowest_threshold
from doubleread.orchestrator.conformal.exchangeable import one_of_each, promised_for
from doubleread.orchestrator.resampling import Groups


class SelectiveRisk(Record):
    """Commit where a score reaches ``threshold``; None: nothing can be promised, refer everything.

    The promise: with probability ``1 - delta`` over the held-out cases, at most a share ``risk`` of new committed cases
    is wrong. It holds for any score, calibrated or not, tied or not, if new cases are exchangeable with the held-out
    ones and neither had a part in fitting the score. Where groups are known, one held-out case of each is counted, so
    that the promise is for cases of new groups (Dunn, Wasserman and Ramdas 2022, section 3.3). Source: see
    ``fixed_sequence``.
    """

    threshold: float | None
    risk: float
    delta: float
    n: int
    """Held-out cases that were counted."""
    committed: float
    """Share of them at or above the threshold."""
    wrong: int
    """Errors among the committed ones."""
    bound: float | None
    """Upper confidence bound on the risk at the threshold, several thresholds having been tried."""
    note: str = ""

    @classmethod
    def fit(
        cls,
        scores: Vector,
        correct: NDArray[np.bool_],
        risk: float = 0.05,
        delta: float = 0.1,
        *,
        groups: Groups = None,
    ) -> Self:
        """From held-out scores (higher is surer) and whether committing would have been right, shape ``(n,)`` both.

        Raises ``DataError`` for shapes that differ, scores that are not finite, or shares that are not between 0 and 1.
        """
        _check(scores, correct, risk, delta)
        promise = promised_for(groups, len(scores))
        rows = one_of_each(groups, len(scores))
        scores, correct, n = scores[rows], correct[rows], len(rows)
        found = lowest_threshold(scores, correct, risk, delta)
        return cls(
            threshold=found.threshold if found else None,
            risk=risk,
            delta=delta,
            n=n,
            committed=found.above / n if found else 0.0,
            wrong=found.wrong if found else 0,
            bound=found.bound if found else None,
            note=f"committed risk is promised {promise}" if found else _why_nothing(n, risk, delta),
        )

    def commits(self, scores: Vector) -> NDArray[np.bool_]:
        """Which cases may be committed to, shape ``(n,)``."""
        if self.threshold is None:
            return np.zeros(len(scores), dtype=bool)
        return np.asarray(scores >= self.threshold)


def _why_nothing(n: int, risk: float, delta: float) -> str:
    promise = f"at most {risk:.1%} wrong with {1 - delta:.0%} confidence"
    if n < (needed := errorless_cases(risk, delta)):
        return f"{n} held-out cases cannot promise {promise}: even without an error {needed} are needed"
    return f"no threshold is shown to leave {promise}: the surest of {n} held-out cases are wrong too often"


def _check(scores: Vector, correct: NDArray[np.bool_], risk: float, delta: float) -> None:
    if scores.ndim != 1 or scores.shape != correct.shape:
        raise DataError(f"scores have shape {scores.shape}, correctness {correct.shape}: give one of each for a case")
    if not np.isfinite(scores).all():
        raise DataError("scores hold NaN or infinity: leave out the cases that nobody spoke on")
    for name, value in (("risk", risk), ("delta", delta)):
        if not 0 < value < 1:
            raise DataError(f"{name} is {value}: it is a share, between 0 and 1, such as 0.05")
