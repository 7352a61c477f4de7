"""Selective risk: at most a share ``risk`` of the committed cases is wrong, with confidence ``1 - delta``."""

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
    """Commit if a score reaches ``threshold``; None: nothing can be guaranteed, refer everything.

    With probability ``1 - delta`` over the held-out cases, at most a share ``risk`` of new committed cases is wrong.
    This holds for any score, calibrated or not, with or without ties, if new cases are exchangeable with the held-out
    ones and neither was used to fit the score. If groups are known, one held-out case per group is counted, so that the
    guarantee is for cases of new groups (Dunn, Wasserman and Ramdas 2022, section 3.3). Source: see ``fixed_sequence``.
    """

    threshold: float | None
    risk: float
    delta: float
    n: int
    """Number of held-out cases counted."""
    committed: float
    """Share of these cases at or above the threshold."""
    wrong: int
    """Errors among the committed cases."""
    bound: float | None
    """Upper confidence bound on the risk at the threshold, corrected for testing several thresholds."""
    note: str = ""

    @property
    def possible(self) -> bool:
        """Whether some threshold keeps the promise."""
        return self.threshold is not None

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
        """Fits on held-out scores (higher is more certain) and whether committing was right, both ``(n,)``.

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
        """Whether each case may be committed to, shape ``(n,)``."""
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
