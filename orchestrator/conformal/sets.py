"""Prediction sets: which labels cannot be excluded, by thresholds learned from held-out cases."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.conformal.chance import row_chances
from doubleread.orchestrator.conformal.quantile import cases_needed, quantile
from doubleread.orchestrator.conformal.scores import SCORES, Score
from doubleread.orchestrator.exchangeable import Groups, kinship


class ConformalSets(Record):
    """Labels whose nonconformity is at most their threshold.

    ``class-conditional``: coverage holds for each true label; ``marginal``: on average over cases;
    ``everything``: too few held-out cases, every label is always in the set. The promise is for new cases
    exchangeable with the held-out ones, on which neither agents nor fusion may have been fitted.
    Source: Vovk, Gammerman and Shafer 2005; Vovk 2012 for the class-conditional kind; the scores name their own.
    """

    coverage: float
    kind: Literal["class-conditional", "marginal", "everything"]
    thresholds: tuple[float, ...]
    """One a label, in task order."""
    n: int
    """Held-out cases behind the thresholds."""
    score: str = "lac"
    """A name in ``SCORES``."""
    note: str = ""

    @classmethod
    def fit(
        cls,
        held_out: Matrix,
        y: Labels,
        coverage: float = 0.9,
        score: str = "lac",
        *,
        u: Vector | None = None,
        groups: Groups = None,
    ) -> Self:
        """From held-out distributions, shape ``(n, k)``; class-conditional where each label has enough cases.

        ``u`` holds one chance a case, shape ``(n,)``, as ``chances`` gives it, for the scores that need it; None: from
        the distributions themselves, and then ``predict`` must have none either. ``groups`` changes no threshold, but
        the note. Raises ``DataError`` for shapes, values or a coverage that cannot be, ``UnknownPart`` for a score.
        """
        _check(held_out, y, coverage)
        scores = _scored(score, held_out, u)[np.arange(len(y)), y]
        kind, thresholds, note = _thresholds(scores, y, held_out.shape[1], coverage)
        notes = "; ".join(filter(None, (note, kinship(groups, len(y)))))
        return cls(coverage=coverage, kind=kind, thresholds=thresholds, n=len(y), score=score, note=notes)

    def predict(self, P: Matrix, u: Vector | None = None) -> list[tuple[int, ...]]:
        """Label indices of each row's set, most probable first; ``u`` as in ``fit``.

        A set can come out empty; the leading label is then put in, which can only raise coverage.
        """
        inside = self._inside(P, u)
        order = np.argsort(-P, axis=1, kind="stable")
        return [tuple(int(i) for i in row if inside[case, i]) for case, row in enumerate(order)]

    def _inside(self, P: Matrix, u: Vector | None) -> NDArray[np.bool_]:
        if self.kind == "everything":
            return np.ones(P.shape, dtype=bool)
        inside = np.asarray(_scored(self.score, P, u) <= np.array(self.thresholds) + 1e-12)
        inside[np.arange(len(P)), P.argmax(axis=1)] = True
        return inside


Kind = Literal["class-conditional", "marginal", "everything"]


def _thresholds(scores: Vector, y: Labels, k: int, coverage: float) -> tuple[Kind, tuple[float, ...], str]:
    """What can be promised, the thresholds that keep it, and what a reader should know."""
    needed, counts = cases_needed(coverage), np.bincount(y, minlength=k)
    if counts.min() >= needed:
        return "class-conditional", tuple(quantile(scores[y == label], coverage) for label in range(k)), ""
    reason = f"a label has {counts.min()} held-out cases, {coverage:.0%} for each label needs {needed}"
    if len(y) >= needed:
        note = f"coverage holds on average, not for each label: {reason}"
        return "marginal", (quantile(scores, coverage),) * k, note
    note = f"{len(y)} held-out cases cannot promise {coverage:.0%} ({needed} are needed): sets hold every label"
    return "everything", (1.0,) * k, note


def _scored(name: str, P: Matrix, u: Vector | None) -> Matrix:
    """Nonconformity of every label, shape ``(n, k)``."""
    score: Score = SCORES.get(name)
    u = row_chances(P) if u is None else u
    if u.shape != (len(P),):
        raise DataError(f"chances have shape {u.shape}: give one for each of {len(P)} cases, as chances() does")
    return score(P, u)


def _check(P: Matrix, y: Labels, coverage: float) -> None:
    if not 0 < coverage < 1:
        raise DataError(f"a coverage of {coverage} cannot be promised: choose one between 0 and 1, such as 0.9")
    if P.ndim != 2 or len(P) != len(y):
        raise DataError(f"distributions have shape {P.shape} for {len(y)} labels: give one row for each label")
    if not np.isfinite(P).all():
        raise DataError("held-out distributions hold NaN or infinity: leave out the cases that nobody spoke on")
