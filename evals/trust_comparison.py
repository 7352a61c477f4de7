"""Two panels, two versions of one, or a panel and its outcomes: is either better, beyond chance?

Chance is what exchanging the sides would do: whole groups swap sides where both were judged on the same cases, and are
dealt out again where they are two samples. Unlike a bootstrap this keeps its level on forty cases, on figures that
are 0 on one side, and on the ECE, whose bias depends on n (Good 2005, permutation tests).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.trust import ReliabilityBin
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator import metrics
from doubleread.orchestrator.metrics.metric import Metric
from doubleread.orchestrator.resampling import Indices, group_codes
from doubleread.orchestrator.simplex import spoken
from doubleread.orchestrator.trust.grading import Graded

BINS = 15
Change = Literal["better", "worse", "same"]


class ReaderDifference(Record):
    """One figure of one reader on both sides; ``change`` is that of the second, and ``same`` where chance explains it.

    The 95 % interval is that of ``second - first``: the shifts that exchanging the sides does not rule out.
    """

    reader: str
    figure: str
    first: float
    second: float
    low: float
    high: float
    change: Change


class Reliability(Record):
    """A reader's reliability on one side."""

    reader: str
    side: str
    n: int
    ece: float
    chance: float
    chance_high: float
    bins: tuple[ReliabilityBin, ...]


class Comparison(Record):
    """Differences of all readers that both sides have. ``paired``: on the same cases."""

    first: str
    second: str
    first_n: int
    second_n: int
    paired: bool
    differences: tuple[ReaderDifference, ...]
    reliability: tuple[Reliability, ...]
    """First and second side of each reader."""


def compare(first: Graded, second: Graded, names: tuple[str, str], *, draws: int = 1000, seed: int = 0) -> Comparison:
    """Every figure of every reader on both sides, all after calibration.

    Paired on the cases that both sides share where these are at least half of the smaller side; otherwise the sides are
    two samples. Raises ``DataError`` where no reader is on both sides, or a side has no case.
    """
    readers = [name for name in first.readers if name in second.readers]
    if not readers:
        raise DataError(f"{names[0]} and {names[1]} have no agent in common, so they cannot be compared")
    if not first.cases or not second.cases:
        raise DataError(f"{names[1] if first.cases else names[0]} has no case to test it on")
    paired = _shared(first, second)
    first, second = paired or (first, second)
    found = [(name, *_spoken(first, second, name, together=paired is not None)) for name in readers]
    heard = [(name, a, b) for name, a, b in found if len(a.labels) and len(b.labels)]
    return Comparison(
        first=names[0],
        second=names[1],
        first_n=len(first.cases),
        second_n=len(second.cases),
        paired=paired is not None,
        differences=tuple(
            one for name, a, b in heard for one in _differences(name, a, b, paired is not None, draws, seed)
        ),
        reliability=tuple(
            _reliability(name, side, p) for name, a, b in heard for side, p in zip(names, (a, b), strict=True)
        ),
    )


@dataclass(frozen=True)
class _CalibratedReader:
    """One reader's distributions on one side."""

    p: Matrix
    labels: Labels
    groups: tuple[str, ...]

    def values(self, rows: Indices, of: Sequence[Metric]) -> Vector:
        """The metrics on those cases."""
        p, y = self.p[rows], self.labels[rows]
        return np.array([metric.value(p, y) for metric in of])


def _shared(first: Graded, second: Graded) -> tuple[Graded, Graded] | None:
    """Both sides on the cases that they share, in one order; None where these are too few."""
    where = {case: i for i, case in enumerate(second.cases)}
    common = [i for i, case in enumerate(first.cases) if case in where]
    if 2 * len(common) < min(len(first.cases), len(second.cases)):
        return None
    return first.rows(common), second.rows([where[first.cases[i]] for i in common])


def _spoken(first: Graded, second: Graded, name: str, *, together: bool) -> tuple[_CalibratedReader, _CalibratedReader]:
    """A reader where it gave an opinion; where sides are paired, on both of them."""
    there = [spoken(side.readers[name]) for side in (first, second)]
    if together:
        there = [there[0] & there[1]] * 2
    a, b = (side.rows(np.flatnonzero(rows).tolist()) for side, rows in zip((first, second), there, strict=True))
    return (
        _CalibratedReader(a.readers[name], a.labels, a.groups),
        _CalibratedReader(b.readers[name], b.labels, b.groups),
    )


def _differences(
    name: str, a: _CalibratedReader, b: _CalibratedReader, paired: bool, draws: int, seed: int
) -> Iterator[ReaderDifference]:
    pool = _CalibratedReader(np.concatenate([a.p, b.p]), np.concatenate([a.labels, b.labels]), (*a.groups, *b.groups))
    everyone, n = np.arange(len(pool.labels)), len(a.labels)
    shown = metrics.shown_in("trust")
    first, second = pool.values(everyone[:n], shown), pool.values(everyone[n:], shown)
    exchanged = _swapped(a, draws, seed) if paired else _dealt(a, b, draws, seed)
    chance = np.array([pool.values(j, shown) - pool.values(i, shown) for i, j in exchanged])
    low, high = second - first - np.quantile(chance, [0.975, 0.025], axis=0)
    for i, metric in enumerate(shown):
        yield ReaderDifference(
            reader=name,
            figure=metric.symbol,
            first=first[i],
            second=second[i],
            low=low[i],
            high=high[i],
            change=_change(metric, low[i], high[i]),
        )


def _swapped(a: _CalibratedReader, draws: int, seed: int) -> Iterator[tuple[Indices, Indices]]:
    """Rows of both sides, among all rows, with the sides of random groups exchanged."""
    rng, n, codes = np.random.default_rng(seed), len(a.labels), group_codes(a.groups, len(a.labels))
    rows = np.arange(n)
    for _ in range(draws):
        swap = (rng.random(int(codes.max()) + 1) < 0.5)[codes]
        yield rows + n * swap, rows + n * ~swap


def _dealt(a: _CalibratedReader, b: _CalibratedReader, draws: int, seed: int) -> Iterator[tuple[Indices, Indices]]:
    """Rows of both sides, among all rows, with all groups dealt out again; each side keeps its number of groups."""
    rng, n = np.random.default_rng(seed), len(a.labels) + len(b.labels)
    codes = group_codes((*a.groups, *b.groups), n)
    kept = len(set(a.groups))
    for _ in range(draws):
        first = (rng.permutation(int(codes.max()) + 1) < kept)[codes]
        yield np.flatnonzero(first), np.flatnonzero(~first)


def _change(metric: Metric, low: float, high: float) -> Change:
    if low <= 0 <= high:
        return "same"
    return "better" if (low > 0) == (metric.better == "higher") else "worse"


def _reliability(name: str, side: str, found: _CalibratedReader) -> Reliability:
    confidence, correct = metrics.confidences(found.p), metrics.correctness(found.p, found.labels)
    chance = metrics.ece_chance(confidence, BINS, np.random.default_rng(0))
    return Reliability(
        reader=name,
        side=side,
        n=len(found.labels),
        ece=metrics.ece(confidence, correct, BINS),
        chance=chance.mean,
        chance_high=chance.high,
        bins=metrics.reliability_bins(confidence, correct, BINS),
    )
