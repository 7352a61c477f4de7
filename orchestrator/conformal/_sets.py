"""Conformal prediction sets: labels that p-values against held-out cases do not exclude."""

import hashlib
from collections.abc import Iterable
from functools import cached_property
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.conformal.exchangeable import Units, promised_for, units_needed
from doubleread.orchestrator.conformal.scores import SCORES, Score
from doubleread.orchestrator.resampling import Groups, group_codes

Kind = Literal["class-conditional", "marginal", "everything"]


class HeldOutScores(Record):
    """Nonconformity of held-out cases, ascending, with their weights and that of a new case's unit."""

    scores: tuple[float, ...]
    weights: tuple[float, ...]
    own: float
    units: int
    """Number of groups, or of cases without groups."""

    @classmethod
    def of(cls, scores: Vector, groups: Groups) -> Self:
        """Built from scores ``(n,)`` of held-out cases and their groups."""
        units, order = Units.of(groups, len(scores)), np.argsort(scores, kind="stable")
        ranked, weights = scores[order], units.weights[order]
        return cls(scores=tuple(ranked.tolist()), weights=tuple(weights.tolist()), own=units.own, units=units.count)

    @cached_property
    def _tails(self) -> tuple[Vector, Vector]:
        """The scores, and the p-values of a new score above the first, second, … of them."""
        above = np.append(np.cumsum(np.array(self.weights)[::-1])[::-1], 0.0)
        return np.array(self.scores), self.own + above

    def p_values(self, scores: Vector) -> Vector:
        """Weight of the held-out cases that conform no better, plus the new case's own, shape as ``scores``."""
        ranked, tails = self._tails
        return np.asarray(tails[np.searchsorted(ranked, scores - 1e-12, side="left")])


class ConformalSets(Record):
    """A label is in the set if its p-value exceeds ``1 - coverage``; a set may be empty.

    The p-value of a label is the share of held-out cases that conform no better, of that label only if there are
    enough. If groups are known, they are the units, and coverage holds for a case of a *new group*, with equally
    weighted groups; else it holds for new cases exchangeable with the held-out ones. Neither agents nor fusion may be
    fitted on these.

    ``class-conditional``: coverage holds for each true label; ``marginal``: on average over cases; ``everything``: too
    few units, every set holds all labels.
    Sources: Vovk, Gammerman and Shafer 2005; Vovk 2012 for the class-conditional kind; for groups see ``exchangeable``;
    for the scores see their modules.
    """

    coverage: float
    kind: Kind
    held_out: tuple[HeldOutScores, ...]
    """One per label for class-conditional sets, one for marginal sets, else none."""
    n: int
    """Number of held-out cases."""
    score: str = "lac"
    """Name of a score in ``SCORES``."""
    note: str = ""
    """What the sets promise."""
    warning: str = ""
    """What they do not promise, or cannot tell."""

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
        """Fits on held-out distributions ``(n, k)``; class-conditional if each label has enough units.

        ``u`` holds one random number per case, shape ``(n,)``, from ``chances``, for scores that need it; with None it
        is derived from the distributions, and ``predict`` must then get None too. Raises ``DataError`` for invalid
        shapes, values or coverage, ``UnknownPart`` for an unknown score.
        """
        _check(held_out, y, coverage)
        scores = _scored(score, held_out, u)[np.arange(len(y)), y]
        kind, found, short = _held_out(scores, y, held_out.shape[1], coverage, groups)
        useless = _cannot_inform(held_out, y, coverage, groups) if kind != "everything" and len(y) else ""
        promise = "" if kind == "everything" else f"{coverage:.0%} sets hold {promised_for(groups, len(y))}"
        warning = "; ".join(filter(None, (short, useless)))
        return cls(coverage=coverage, kind=kind, held_out=found, n=len(y), score=score, note=promise, warning=warning)

    def p_values(self, P: Matrix, u: Vector | None = None) -> Matrix:
        """p-values of every label of each row of ``P``, ``(n, k)``; all 1 if nothing can be guaranteed."""
        if self.kind == "everything":
            return np.ones(P.shape)
        scores = _scored(self.score, P, u)
        each = self.held_out * P.shape[1] if len(self.held_out) == 1 else self.held_out
        return np.column_stack([one.p_values(scores[:, k]) for k, one in enumerate(each)])

    def inside(self, p_values: Matrix) -> NDArray[np.bool_]:
        """Whether each label is in its set, shape as ``p_values``."""
        return np.asarray(p_values > 1 - self.coverage + 1e-9)

    def predict(self, P: Matrix, u: Vector | None = None) -> list[tuple[int, ...]]:
        """Label indices of each row's set, most probable first; ``u`` as in ``fit``. A set may be empty."""
        inside = self.inside(self.p_values(P, u))
        order = np.argsort(-P, axis=1, kind="stable")
        return [tuple(int(i) for i in row if inside[case, i]) for case, row in enumerate(order)]


def _held_out(
    scores: Vector, y: Labels, k: int, coverage: float, groups: Groups
) -> tuple[Kind, tuple[HeldOutScores, ...], str]:
    """Kind of the sets, their held-out scores, and a note on what they do not guarantee."""
    needed, codes = units_needed(coverage), group_codes(groups, len(y))
    each = [HeldOutScores.of(scores[y == label], codes[y == label]) for label in range(k)]
    if min(one.units for one in each) >= needed:
        return "class-conditional", tuple(each), ""
    all_, what = HeldOutScores.of(scores, groups), Units.of(groups, len(y))
    unit = "groups" if what.grouped else "cases"
    if all_.units >= needed:
        fewest = min(one.units for one in each)
        reason = f"a label has {fewest} held-out {unit}, {coverage:.0%} for each label needs {needed}"
        return "marginal", (all_,), f"coverage holds on average, not for each label: {reason}"
    note = f"{what} held out cannot promise {coverage:.0%} ({needed} {unit} are needed): sets hold every label"
    return "everything", (), note


def _cannot_inform(P: Matrix, y: Labels, coverage: float, groups: Groups) -> str:
    """Note for a panel more accurate than its coverage: sets then hold the leading label or nothing."""
    units = Units.of(groups, len(y))
    right = float(units.weights @ (P.argmax(axis=1) == y) / units.weights.sum())
    if right <= coverage:
        return ""
    wanted = np.floor((1 - max((1 - right) / 2, units.own)) * 1000) / 1000
    said = (
        f"the panel is right on {right:.1%} of held-out cases, so {coverage:.0%} sets cannot inform: most hold the "
        "leading label alone, and the others are empty"
    )
    if wanted > coverage:
        return f"{said}; trust.coverage = {wanted:g} gives sets that tell more"
    needed = units_needed(1 - (1 - coverage) / 2)
    return f"{said}; sets that tell more need {needed} calibration {'groups' if units.grouped else 'cases'} or more"


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


_SALT = b"doubleread conformal sets\0"
_BITS = 53
"""Bits that a float holds exactly."""


def chances(case_ids: Iterable[str]) -> Vector:
    """One uniform number per case from the sha256 of its id, shape ``(n,)``; always the same for a case."""
    return np.array([_uniform(case_id.encode()) for case_id in case_ids], dtype=float)


def row_chances(P: Matrix) -> Vector:
    """One uniform number per row from the sha256 of the row, rounded to nine decimals, shape ``(n,)``.

    Equal distributions get equal sets. Coverage holds for any fixed function of distribution and label.
    """
    rounded = np.round(np.asarray(P, dtype="<f8"), 9) + 0.0  # -0.0 and 0.0 are equal but differ in bytes
    return np.array([_uniform(row.tobytes()) for row in rounded], dtype=float)


def _uniform(key: bytes) -> float:
    digest = hashlib.sha256(_SALT + key).digest()
    return float(int.from_bytes(digest[:8], "big") >> (64 - _BITS)) / 2.0**_BITS
