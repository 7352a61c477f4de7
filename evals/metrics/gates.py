"""Gates: figures that must not be worse than asked for, by name, for a command that fails or a test that does."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.trust import CalibrationError, Estimate
from doubleread.evals.metrics.evaluation import Evaluation, ReaderFigures

Side = Literal["at least", "at most"]
Found = Estimate | CalibrationError | None


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure by its name. ``side`` is what can be asked of it: at least so much where more is better."""

    name: str
    side: Side
    about: str
    of: Callable[[Evaluation], Found]
    share: bool = False
    """Between 0 and 1."""


def _panel(of: Callable[[ReaderFigures], Found]) -> Callable[[Evaluation], Found]:
    return lambda e: None if e.panel is None else of(e.panel)


def _count(n: float) -> Estimate:
    return Estimate(value=n, low=n, high=n)


FIGURES = {
    one.name: one
    for one in (
        Figure(
            "accuracy", "at least", "share of cases whose leading label is right", _panel(lambda p: p.accuracy), True
        ),
        Figure("balanced-accuracy", "at least", "mean recall", _panel(lambda p: p.balanced_accuracy), True),
        Figure("macro-f1", "at least", "mean F1", _panel(lambda p: p.macro_f1), True),
        Figure(
            "failure-auroc", "at least", "how well right is told from wrong", _panel(lambda p: p.failure_auroc), True
        ),
        Figure("committed", "at least", "share committed", lambda e: e.decisions.commitment, True),
        Figure("committed-accuracy", "at least", "of the committed", lambda e: e.decisions.committed_accuracy, True),
        Figure("coverage", "at least", "sets that hold the true label", lambda e: e.sets.coverage, True),
        Figure(
            "worst-coverage",
            "at least",
            "coverage of the label that is covered least",
            lambda e: e.sets.worst.coverage if e.sets.worst else None,
            True,
        ),
        Figure("brier", "at most", "Brier score", _panel(lambda p: p.brier)),
        Figure("nll", "at most", "log-loss", _panel(lambda p: p.nll)),
        Figure("ece", "at most", "expected calibration error", _panel(lambda p: p.ece), True),
        Figure("ace", "at most", "adaptive calibration error", _panel(lambda p: p.ace), True),
        Figure("mce", "at most", "worst bin's calibration error", _panel(lambda p: p.mce), True),
        Figure("classwise-ece", "at most", "mean over labels", _panel(lambda p: p.classwise_ece), True),
        Figure("ocr", "at most", "wrong and sure", _panel(lambda p: p.ocr), True),
        Figure("aurc", "at most", "area under risk and coverage", _panel(lambda p: p.aurc), True),
        Figure("set-size", "at most", "mean labels in a set", lambda e: e.sets.size),
        Figure("alarms", "at most", "share of unfamiliar images", lambda e: e.alarms.share, True),
        Figure("cost", "at most", "US dollars a case", lambda e: e.money.each),
        Figure("total-cost", "at most", "US dollars", lambda e: _count(e.money.total)),
        Figure("p50-seconds", "at most", "seconds that half the cases stay within", lambda e: e.seconds.p50),
        Figure("p95-seconds", "at most", "seconds that 95 % of the cases stay within", lambda e: e.seconds.p95),
        Figure("unread", "at most", "images that could not be read", lambda e: _count(e.unread)),
        Figure("leaks", "at most", "near copies of the panel's own cases", lambda e: _count(e.leaks.cases)),
    )
}
"""Of the panel, by name."""


class Gate(Record):
    """What is asked of a figure."""

    figure: str
    side: Side
    bound: float


class GateResult(Record):
    """A gate and what was found; a figure that there is none of (``found`` is None) does not pass."""

    gate: Gate
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


def gate(name: str, side: Side, bound: float) -> Gate:
    """Raises ``DataError`` for a figure that is not known or is better the other way, or a bound it cannot have."""
    figure = FIGURES.get(name)
    if figure is None:
        known = ", ".join(one.name for one in FIGURES.values() if one.side == side)
        raise DataError(f"there is no figure {name!r}; what must be {side} so much can be: {known}")
    if figure.side != side:
        better = "higher" if figure.side == "at least" else "lower"
        raise DataError(f"{name} is better the {better} it is: ask for {figure.side} {bound:g}, not {side}")
    if not isfinite(bound) or bound < 0 or (figure.share and bound > 1):
        allowed = "a share, from 0 to 1, such as 0.95" if figure.share else "a number, 0 or more"
        raise DataError(f"{name} cannot be {side} {bound:g}: it is {allowed}")
    return Gate(figure=name, side=side, bound=bound)


def parse_gate(text: str, side: Side) -> Gate:
    """The gate of ``name=value``; raises ``DataError`` as ``gate`` does, and for text of another form."""
    name, _, number = (part.strip() for part in text.partition("="))
    try:
        bound = float(number)
    except ValueError:
        example = "accuracy=0.95" if side == "at least" else "ece=0.05"
        raise DataError(f"{text!r} asks nothing of a figure: write NAME=NUMBER, such as {example}") from None
    return gate(name, side, bound)


def check(found: Evaluation, gates: Iterable[Gate]) -> tuple[GateResult, ...]:
    """Every gate's result, in their order."""
    return tuple(_result(one, FIGURES[one.figure].of(found)) for one in gates)


def _result(asked: Gate, found: Found) -> GateResult:
    if found is None:
        return GateResult(gate=asked, found=None, passed=False)
    figure = Estimate(value=found.value, low=found.low, high=found.high)
    return GateResult(gate=asked, found=figure, passed=_keeps(asked, found.value))


def _keeps(asked: Gate, value: float) -> bool:
    """Up to rounding: 0.1 + 0.2 is at most 0.3."""
    slack = 1e-12
    return value >= asked.bound - slack if asked.side == "at least" else value <= asked.bound + slack
