"""Invents texts and numbers that fit a schema."""

import math
import operator
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from doubleread.core.types import Json

MAX_LENGTH = 100_000
WORD = "mock"
FORMATS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "mock@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
BOUNDS: dict[str, Callable[[Fraction, Fraction], bool]] = {
    "minimum": operator.ge,
    "exclusiveMinimum": operator.gt,
    "maximum": operator.le,
    "exclusiveMaximum": operator.lt,
}


class Misfit(Exception):
    """No value is known that fits a part of a schema."""


def text_of(schema: Json, hint: Any, _: int) -> str:
    """Returns a text that fits, the hint if it does; raises ``Misfit``."""
    least, most = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    if least > MAX_LENGTH:
        raise Misfit("its strings are too long")
    if "format" in schema and schema["format"] not in FORMATS:
        raise Misfit(f"the mock server does not know the format {schema['format']!r}")
    padded = (WORD * math.ceil(max(least, 1) / len(WORD)))[: int(min(most, MAX_LENGTH))]
    texts = [FORMATS[schema["format"]]] if "format" in schema else [hint, padded]
    for text in texts:
        if isinstance(text, str) and least <= len(text) <= most:
            return text
    raise Misfit("no text of its strings has the right length")


def number_of(schema: Json, hint: Any, _: int, *, whole: bool = False) -> int | float:
    """Returns a number that fits, the hint if it does; raises ``Misfit``."""
    bounds = {key: Fraction(str(schema[key])) for key in BOUNDS if key in schema}
    step = Fraction(str(schema["multipleOf"])) if "multipleOf" in schema else None
    if whole:
        step = Fraction(step.numerator if step else 1)  # the whole ones among the multiples
    given = [hint] if isinstance(hint, int | float) and not isinstance(hint, bool) else []
    for one in [*given, 0, 1, *_near(list(bounds.values()), step)]:
        exact = Fraction(str(one))
        if all(BOUNDS[key](exact, bound) for key, bound in bounds.items()) and (step is None or exact % step == 0):
            return one
    raise Misfit("no number fits its bounds")


def _near(bounds: list[Fraction], step: Fraction | None) -> Iterator[int | float]:
    """Numbers that fit the bounds, if any do that are multiples of the step."""
    for bound in [*bounds, *([sum(bounds) / len(bounds)] if bounds else [])]:
        start, stride = (math.floor(bound / step) * step, step) if step else (bound, 1)
        for one in (start, start + stride, start - stride):
            yield int(one) if Fraction(one).denominator == 1 else float(one)
