"""Declarations of metrics, from which value and interval are computed."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from doubleread.core.trust import CalibrationError, Estimate
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.metrics import Flags, Surface, confidences, correctness
from doubleread.orchestrator.metrics.draws import Draws, estimate, ratio, with_wilson
from doubleread.orchestrator.simplex import spoken

Found = Estimate | CalibrationError | None
EVERYWHERE: frozenset[Surface] = frozenset(get_args(Surface))
BINS = 15
T = TypeVar("T")


class Display(NamedTuple):
    """Number format of a metric: percent or plain, with a number of decimals."""

    percent: bool = False
    digits: int = 3

    def number(self, value: float, sign: str = "", digits: int | None = None) -> str:
        """``93.1`` or ``0.123``, without a unit."""
        scaled = value * 100 if self.percent else value
        return f"{scaled:{sign}.{self.digits if digits is None else digits}f}"

    def value(self, value: float) -> str:
        """``93.1 %`` or ``0.123``."""
        return self.number(value) + (" %" if self.percent else "")

    def change(self, value: float, unit: str = "pt") -> str:
        """``+1.2 pt`` or ``+0.012``."""
        return self.number(value, "+") + (f" {unit}" if self.percent else "")

    def interval(self, e: Estimate | CalibrationError, between: str = "–", sign: str = "") -> str:
        """``90.0–95.4``, without a unit."""
        return f"{self.number(e.low, sign)}{between}{self.number(e.high, sign)}"

    def estimate(self, e: Estimate | CalibrationError) -> str:
        """``93.1 % (90.0–95.4)``."""
        return f"{self.value(e.value)} ({self.interval(e)})"


PERCENT = Display(percent=True, digits=1)


@dataclass
class MetricSample:
    """A reader's distributions ``P``, shape ``(m, k)``, on the ``m`` cases ``rows`` with labels ``y``, and the draws.

    ``rows`` are flags of all cases of the draws, ``m`` of them True. Vectors over draws have shape ``(1 + draws,)``;
    the first entry is the sample itself.
    """

    P: Matrix
    y: Labels
    draws: Draws
    rows: Flags
    bins: int = BINS
    _made: dict[object, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, P: Matrix, y: Labels, draws: Draws) -> "MetricSample | None":
        """The cases with an opinion (no NaN) and a label (not negative); None if there are none."""
        rows = (y >= 0) & spoken(P)
        return cls(P[rows], y[rows], draws, rows) if rows.any() else None

    @cached_property
    def confidence(self) -> Vector:
        return confidences(self.P)

    @cached_property
    def correct(self) -> Flags:
        return correctness(self.P, self.y)

    @cached_property
    def n(self) -> Vector:
        """Number of cases in each draw."""
        return self.draws.total(np.ones(len(self.y)), self.rows)

    def once(self, make: "Callable[[MetricSample], T]") -> T:
        """Result of ``make`` for this sample, cached for all metrics that use it."""
        if make not in self._made:
            self._made[make] = make(self)
        made: T = self._made[make]
        return made


@dataclass(frozen=True, kw_only=True)
class Metric(ABC):
    """A metric of probabilities ``(n, k)`` against true labels ``(n,)``. Subclasses define the computation.

    Examples:
        >>> import numpy as np
        >>> from doubleread.orchestrator.metrics import METRICS
        >>> P = np.array([[0.9, 0.1], [0.6, 0.4]])
        >>> METRICS.get("accuracy").value(P, np.array([0, 1]))
        0.5

    ``name`` is its key in records; ``title`` names it in a row, ``heading`` above a column, ``symbol`` where there is
    little room; ``about`` explains it. ``unit`` is ``share`` for what lies between 0 and 1. ``rank`` sorts tables that
    are read from the top. ``with_interval``: tables of several readers show the interval too.
    """

    name: str
    title: str
    about: str
    better: Literal["higher", "lower"]
    unit: str = "score"
    display: Display = field(default_factory=Display)
    heading: str = ""
    symbol: str = ""
    shown: frozenset[Surface] = EVERYWHERE
    rank: int = 50
    with_interval: bool = False

    def __post_init__(self) -> None:
        for name, other in (("heading", self.title), ("symbol", self.heading or self.title)):
            if not getattr(self, name):
                object.__setattr__(self, name, other)

    @property
    def sign(self) -> int:
        """1 if higher is better, else -1."""
        return 1 if self.better == "higher" else -1

    @abstractmethod
    def drawn(self, sample: MetricSample) -> Vector:
        """The metric of the sample and of every draw, shape ``(1 + draws,)``."""

    def value(self, P: Matrix, y: Labels) -> float:
        """The metric of distributions ``(n, k)``."""
        sample = MetricSample(P, y, Draws([None] * len(y), draws=0, seed=0), np.ones(len(y), bool))
        return float(self.drawn(sample)[0])

    def found(self, sample: MetricSample) -> Found:
        """The metric with its interval; None if undefined."""
        return estimate(self.drawn(sample))


@dataclass(frozen=True, kw_only=True)
class CaseMetric(Metric):
    """The mean of a number per case. ``of`` maps ``P`` and ``y`` to ``(n,)``; flags give a share.

    ``silent`` is the value of a case without opinions in a sweep; None: that of a uniform distribution.
    """

    of: Callable[[Matrix, Labels], NDArray[np.generic]]
    silent: float | None = None

    def drawn(self, sample: MetricSample) -> Vector:
        return ratio(sample.draws.total(self.of(sample.P, sample.y), sample.rows), sample.n)

    def value(self, P: Matrix, y: Labels) -> float:
        return float(np.mean(self.of(P, y).astype(float)))

    def found(self, sample: MetricSample) -> Found:
        plain = estimate(self.drawn(sample))
        return with_wilson(plain, len(sample.y)) if self.of(sample.P, sample.y).dtype == np.bool_ else plain


@dataclass(frozen=True, kw_only=True)
class SumMetric(Metric):
    """A function of sums over cases, such as a ratio.

    ``columns`` maps ``P`` and ``y`` to ``(n, m)``; ``of`` maps their sums ``(…, m)`` and the counts ``(…)`` to values.
    """

    columns: Callable[[Matrix, Labels], Matrix]
    of: Callable[[Matrix, Vector], Vector]

    def drawn(self, sample: MetricSample) -> Vector:
        return self.of(sample.draws.sums(self.columns(sample.P, sample.y), sample.rows), sample.n)


@dataclass(frozen=True, kw_only=True)
class SampleMetric(Metric):
    """Any other metric: ``of`` maps the sample to its values over the draws."""

    of: Callable[[MetricSample], Vector]

    def drawn(self, sample: MetricSample) -> Vector:
        return self.of(sample)
