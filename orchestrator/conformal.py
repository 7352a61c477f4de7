"""Prediction sets that hold the true label with a promised frequency (split conformal, LAC)."""

from typing import Literal, Self

import numpy as np

from doubleread.core.base import Record
from doubleread.core.types import Labels, Matrix, Vector


def cases_needed(coverage: float) -> int:
    """Fewest held-out cases that can promise ``coverage``: 9 for 90 %, 19 for 95 %."""
    return int(np.ceil(coverage / (1 - coverage) - 1e-9))


class ConformalSets(Record):
    """Labels whose probability reaches ``1 - threshold``, with one threshold per label.

    ``class-conditional``: coverage holds for each true label; ``marginal``: on average over cases;
    ``everything``: too few held-out cases, every label is always in the set. The promise is for new cases
    exchangeable with the held-out ones, on which neither agents nor fusion may have been fitted.
    Source: Sadinle, Lei and Wasserman 2019; Vovk 2012 for the class-conditional kind.
    """

    coverage: float
    kind: Literal["class-conditional", "marginal", "everything"]
    thresholds: tuple[float, ...]
    n: int
    note: str = ""

    @classmethod
    def fit(cls, held_out: Matrix, y: Labels, coverage: float = 0.9) -> Self:
        """From held-out distributions, shape ``(n, k)``; class-conditional where each label has enough cases."""
        k, needed = held_out.shape[1], cases_needed(coverage)
        scores = 1.0 - held_out[np.arange(len(y)), y]
        counts = np.bincount(y, minlength=k)
        if counts.min() >= needed:
            thresholds = tuple(_quantile(scores[y == label], coverage) for label in range(k))
            return cls(coverage=coverage, kind="class-conditional", thresholds=thresholds, n=len(y))
        reason = f"a label has {counts.min()} held-out cases, {coverage:.0%} for each label needs {needed}"
        if len(y) >= needed:
            note = f"coverage holds on average, not for each label: {reason}"
            marginal = (_quantile(scores, coverage),) * k
            return cls(coverage=coverage, kind="marginal", thresholds=marginal, n=len(y), note=note)
        note = f"{len(y)} held-out cases cannot promise {coverage:.0%} ({needed} are needed): sets hold every label"
        return cls(coverage=coverage, kind="everything", thresholds=(1.0,) * k, n=len(y), note=note)

    def predict(self, P: Matrix) -> list[tuple[int, ...]]:
        """Label indices of each row's set, most probable first.

        LAC sets can be empty; the leading label is then put in, which can only raise coverage.
        """
        inside = np.array(self.thresholds) + 1e-12 >= 1.0 - P
        inside[np.arange(len(P)), P.argmax(axis=1)] = True
        order = np.argsort(-P, axis=1, kind="stable")
        return [tuple(int(i) for i in row if inside[case, i]) for case, row in enumerate(order)]


def _quantile(scores: Vector, coverage: float) -> float:
    """The ceil((n + 1) * coverage)-th smallest score: the finite-sample correction."""
    rank = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
    return float(np.sort(scores)[rank - 1])
