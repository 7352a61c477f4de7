"""One measured figure and its target."""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, Self

import numpy as np
from pydantic import model_validator

from doubleread.core.base import Record

_TARGET = re.compile(r"^(>=|<=|>|<|==)\s*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)$")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}


class Skipped(Exception):
    """Raised by a benchmark that cannot run here; its text says what to do about it."""


def mean(values: Sequence[float]) -> float:
    """Of several runs."""
    return float(np.mean(values))


class FigureInterval(Protocol):
    """A value and the ends of an interval around it."""

    @property
    def value(self) -> float: ...

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


class Figure(Record):
    """What a benchmark measured, or why it measured nothing.

    ``met`` is worked out of ``value`` and ``target`` (``">= 0.965"``, ``"<= 0.11"``); None without either.
    """

    name: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    """The ends of an interval; ``note`` says which."""
    n: int | None = None
    target: str = ""
    met: bool | None = None
    seconds: float | None = None
    """Time it took to measure; the harness fills it in."""
    note: str = ""
    skipped: str = ""
    error: str = ""

    @classmethod
    def of(cls, name: str, e: FigureInterval, n: int, target: str = "", note: str = "") -> Self:
        """An estimate with its interval, from ``n`` cases."""
        return cls(name=name, value=e.value, low=e.low, high=e.high, n=n, target=target, note=note)

    @classmethod
    def over(
        cls,
        name: str,
        values: Sequence[float],
        target: str = "",
        note: str = "",
        *,
        by: Callable[[Sequence[float]], float] = mean,
        n: int | None = None,
    ) -> Self:
        """The mean of several runs, or what else ``by`` makes of them, with the least and the most of them."""
        how = {"low": min(values), "high": max(values), "n": n or len(values)}
        return cls(name=name, value=by(values), target=target, note=note, **how)

    @model_validator(mode="before")
    @classmethod
    def _judge(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("target"):
            return {**data, "met": meets(data.get("value"), str(data["target"]))}
        return data


Benchmark = Callable[[], Iterable[Figure]]
"""Measures and yields figures as they come; raises ``Skipped`` where it cannot run."""


def meets(value: float | None, target: str) -> bool | None:
    """Whether a value reaches a target; None without a value. Raises ``ValueError`` for a target it cannot read."""
    found = _TARGET.match(target.strip())
    if not found:
        raise ValueError(f"target {target!r} is not a comparison with a number, as in '>= 0.965'")
    return None if value is None else _COMPARE[found[1]](float(value), float(found[2]))
