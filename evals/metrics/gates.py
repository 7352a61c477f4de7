"""Gates: figures that must not be worse than asked for, by name, for a command that fails or a test that does."""

from collections.abc import Iterable
from math import isfinite
from typing import Literal

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.trust import Estimate
from doubleread.evals.metrics.evaluation import Evaluation
from doubleread.evals.metrics.run_figures import RunFigure, run_figures
from doubleread.orchestrator.metrics.metric import Found

Side = Literal["at least", "at most"]


class MetricBound(Record):
    """A bound on a figure."""

    figure: str
    side: Side
    bound: float


class GateResult(Record):
    """A gate and what was found; a figure that there is none of (``found`` is None) does not pass."""

    gate: MetricBound
    found: Estimate | None
    passed: bool
    """By the value, whatever its interval."""

    @property
    def sure(self) -> bool:
        """Whether the whole interval is on the same side of the bound as the value."""
        if self.found is None:
            return False
        ends = (_keeps(self.gate, end) for end in (self.found.low, self.found.high))
        return all(end is self.passed for end in ends)

    @property
    def text(self) -> str:
        """``accuracy 0.931 (0.912 to 0.950) is not at least 0.95``."""
        if self.found is None:
            return f"{self.gate.figure} has no value in this run, so it is not {self.gate.side} {self.gate.bound:g}"
        interval = f"{self.found.value:.4g} ({self.found.low:.4g} to {self.found.high:.4g})"
        return f"{self.gate.figure} {interval} is {'' if self.passed else 'not '}{self.gate.side} {self.gate.bound:g}"


def gated() -> dict[str, RunFigure]:
    """The figures that a bound can be asked for, by name."""
    return {name: figure for name, figure in run_figures().items() if figure.gate}


def gate(name: str, side: Side, bound: float) -> MetricBound:
    """Raises ``DataError`` for an unknown figure, a bound on its wrong side, or a bound that it cannot have."""
    figures = gated()
    figure = figures.get(name)
    if figure is None:
        known = ", ".join(one.name for one in figures.values() if one.side == side)
        raise DataError(f"there is no figure {name!r}; a bound '{side}' can be set for: {known}")
    if figure.side != side:
        raise DataError(f"for {name}, {figure.better} is better: set a bound '{figure.side} {bound:g}', not '{side}'")
    if not isfinite(bound) or bound < 0 or (figure.share and bound > 1):
        allowed = "a share from 0 to 1, such as 0.95" if figure.share else "a number of 0 or more"
        raise DataError(f"the bound {name}={bound:g} is not valid: give {allowed}")
    return MetricBound(figure=name, side=side, bound=bound)


def parse_gate(text: str, side: Side) -> MetricBound:
    """The gate of ``name=value``; raises ``DataError`` as ``gate`` does, and for text of another form."""
    name, _, number = (part.strip() for part in text.partition("="))
    try:
        bound = float(number)
    except ValueError:
        example = "accuracy=0.95" if side == "at least" else "ece=0.05"
        raise DataError(f"{text!r} is not a bound on a figure: write NAME=NUMBER, such as {example}") from None
    return gate(name, side, bound)


def check(found: Evaluation, gates: Iterable[MetricBound]) -> tuple[GateResult, ...]:
    """Every gate's result, in their order."""
    figures = run_figures()
    return tuple(_result(one, figures[one.figure].of(found)) for one in gates)


def _result(asked: MetricBound, found: Found) -> GateResult:
    if found is None:
        return GateResult(gate=asked, found=None, passed=False)
    figure = Estimate(value=found.value, low=found.low, high=found.high)
    return GateResult(gate=asked, found=figure, passed=_keeps(asked, found.value))


def _keeps(asked: MetricBound, value: float) -> bool:
    """Up to rounding: 0.1 + 0.2 is at most 0.3."""
    slack = 1e-12
    return value >= asked.bound - slack if asked.side == "at least" else value <= asked.bound + slack
