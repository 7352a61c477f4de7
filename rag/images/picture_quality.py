"""Finds pictures that are dark, blurred, flat, over-bright, colourless, tiny or oddly shaped for their data set.

What is usual differs between leaves, X-rays and solar cells. So a picture is unusual if a statistic lies far outside
the middle 98 % of the reference pictures. The distance is chosen so that few pictures of *new groups* are flagged. A
few absolute limits always apply: black, white and empty pictures show nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from doubleread.core.notices import Caution
from doubleread.core.types import Embeddings, Matrix, Vector
from doubleread.rag.images.picture_statistics import StatisticColumns

FEW = 20
"""With fewer pictures, the usual range is unknown and only the absolute limits apply."""
FLAG_RATE = 0.01
"""Largest share of the pictures of new groups that may be flagged."""
_TAIL = 0.01
_STRETCHES = (0.5, 1.0, 2.0, 4.0)
"""Candidate distances of a fence from the outermost percent, in units of that percentile's distance to the median."""
_FOLDS = 5
SHOWN = 3
"""Number of sources named in a note."""

Rows = Matrix | Embeddings
Flags = NDArray[np.bool_]
ABSOLUTE: tuple[tuple[str, Callable[[StatisticColumns], Flags]], ...] = (
    ("black", lambda s: s.dark > 0.99),
    ("white", lambda s: s.bright > 0.995),
    ("empty", lambda s: s.contrast < 0.01),
)
"""Absolute limits; one is ignored if more than one in ten of the reference pictures break it."""
_TOLD = {
    "black": "the picture is practically black",
    "white": "the picture is practically white",
    "empty": "the picture is practically one even surface",
}
_COMMON = 0.1


class Check(NamedTuple):
    """One check: ``value`` must not lie beyond a fence, upwards (``side`` 1) or downwards (-1)."""

    name: str
    value: Callable[[StatisticColumns], Vector]
    side: int
    least: float
    """Smallest distance of the fence from the outermost percent."""
    told: str
    alarm: bool = True
    """Whether a picture beyond the fence raises the alarm."""


def _brightness(s: StatisticColumns) -> Vector:
    return np.asarray(np.log(s.brightness + 0.01))


CHECKS = (
    Check("dark", _brightness, -1, np.log(1.5), "much darker than"),
    Check("over-bright", _brightness, 1, np.log(1.3), "much brighter than"),
    Check("over-bright", lambda s: s.bright, 1, 0.1, "over-exposed, unlike"),
    Check("flat", lambda s: np.log((s.contrast + 0.005) / (s.brightness + 0.01)), -1, np.log(1.5), "much flatter than"),
    Check("blurred", lambda s: np.log(s.sharpness + 1e-4), -1, np.log(2), "much more blurred than"),
    Check(
        "colourless",
        lambda s: np.log((s.colour + 0.01) / (s.brightness + 0.01)),
        -1,
        np.log(2),
        "much less colourful than",
    ),
    Check("shape", lambda s: np.log(s.aspect), 1, np.log(1.25), "much wider than", alarm=False),
    Check("shape", lambda s: np.log(s.aspect), -1, np.log(1.25), "much narrower than", alarm=False),
    Check("small", lambda s: np.log(s.side), -1, np.log(2), "much smaller than", alarm=False),
)


@dataclass(frozen=True)
class UsualPictures:
    """The usual range of each check, learned from pictures; ``NOTHING_USUAL`` has only the absolute limits."""

    fences: Vector
    """One for each of ``CHECKS``; infinite where unknown."""
    absolute: Flags
    """Which of ``ABSOLUTE`` apply."""

    @classmethod
    def fit(cls, rows: Rows, groups: Sequence[str | None] | None = None) -> Self:
        """Learns from the statistics of pictures, ``(n, 10)``, and their groups."""
        s = StatisticColumns.of_rows(rows)
        broken = np.array([limit(s).mean() if len(rows) else 0.0 for _, limit in ABSOLUTE])
        fences = np.array([np.inf * check.side for check in CHECKS])
        if len(rows) >= FEW:
            values = _values(s)
            fences = _fences(values, _stretch(values, groups))
        return cls(fences, broken <= _COMMON)

    def flags(self, rows: Rows) -> tuple[Flags, Flags]:
        """Returns which pictures break which of ``CHECKS``, ``(n, checks)``, and of ``ABSOLUTE``, ``(n, limits)``."""
        s = StatisticColumns.of_rows(rows)
        absolute = np.column_stack([limit(s) for _, limit in ABSOLUTE]) & self.absolute
        absolute &= absolute.cumsum(axis=1) == 1  # report only the first limit
        return _beyond(_values(s), self.fences) & ~absolute.any(axis=1, keepdims=True), absolute

    def names(self, rows: Rows) -> list[tuple[str, ...]]:
        """Returns the faults of each picture as single words; empty for most."""
        found, absolute = self.flags(rows)
        words = [*(check.name for check in CHECKS), *(name for name, _ in ABSOLUTE)]
        every = np.concatenate([found, absolute], axis=1)
        return [tuple(dict.fromkeys(word for word, flag in zip(words, row, strict=True) if flag)) for row in every]

    def told(self, row: Vector, *, alarm: bool) -> tuple[str, ...]:
        """Describes each fault of a row of statistics ``(10,)``: those that raise the alarm, or the others."""
        found, absolute = self.flags(row[None])
        nothing = [_TOLD[name] for (name, _), flag in zip(ABSOLUTE, absolute[0], strict=True) if flag and alarm]
        beyond = {
            check.name: check.told
            for check, flag in zip(CHECKS, found[0], strict=True)
            if flag and check.alarm == alarm
        }
        return (*nothing[:1], *(f"the picture is {words} those the panel was trusted on" for words in beyond.values()))


NOTHING_USUAL = UsualPictures(np.array([np.inf * check.side for check in CHECKS]), np.ones(len(ABSOLUTE), bool))


def unusual_pictures(named: Sequence[tuple[str, ...]], sources: Sequence[str]) -> tuple[str, ...]:
    """Returns a note with the number and the first sources of the flagged pictures; empty if there are none."""
    odd: dict[str, list[str]] = {}
    for words, source in zip(named, sources, strict=True):
        for word in words:
            odd.setdefault(word, []).append(source)
    if not odd:
        return ()
    listed = "; ".join(
        f"{name}: {len(found)} ({', '.join(found[:SHOWN])}{', …' if len(found) > SHOWN else ''})"
        for name, found in odd.items()
    )
    count = sum(map(bool, named))
    start = "1 picture looks" if count == 1 else f"{count} pictures look"
    return (Caution(f"{start} unlike the others and should be checked by hand; nothing was left out: {listed}"),)


def _values(s: StatisticColumns) -> Matrix:
    return np.column_stack([check.value(s) for check in CHECKS])


def _beyond(values: Matrix, fences: Vector) -> Flags:
    side = np.array([check.side for check in CHECKS])
    return np.asarray(values * side > fences * side)


def _fences(values: Matrix, stretch: float) -> Vector:
    """Returns fences beyond the outermost percent, at ``stretch`` times its distance from the median or ``least``."""
    side = np.array([check.side for check in CHECKS])
    outer = np.quantile(values * side, 1 - _TAIL, axis=0, method="lower")  # excludes the most extreme of a few pictures
    reach = stretch * (outer - np.median(values * side, axis=0))
    return np.asarray(side * (outer + np.maximum(reach, [check.least for check in CHECKS])))


def _stretch(values: Matrix, groups: Sequence[str | None] | None) -> float:
    """Returns the smallest stretch that flags few enough pictures of left-out groups; the largest without groups."""
    names = np.array([group or f"case {i}" for i, group in enumerate(groups or [None] * len(values))])
    found, codes = np.unique(names, return_inverse=True)
    folds = min(_FOLDS, len(found))
    if folds < 2:
        return _STRETCHES[-1]
    fold = np.random.default_rng(0).permutation(len(found))[codes] % folds
    for stretch in _STRETCHES:
        named = [_beyond(values[fold == k], _fences(values[fold != k], stretch)).any(axis=1) for k in range(folds)]
        if np.concatenate(named).mean() <= FLAG_RATE:
            return stretch
    return _STRETCHES[-1]
