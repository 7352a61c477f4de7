"""Histograms of what cases take or cost."""

import math
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import numpy as np

from doubleread.core.errors import DataError
from doubleread.evals.drawings import svg

_LEFT, _TOP, _WIDTH, _HEIGHT = 58.0, 92.0, 382.0, 190.0
_BINS = 24
_RATIO = 20.0
"""Where the largest value exceeds the smallest by this factor, the bins are as wide in logarithms."""


def histogram(
    values: Sequence[float],
    *,
    title: str,
    unit: str,
    marks: Mapping[str, float],
    field: str = "",
) -> str:
    """Positive ``values`` in ``unit`` as SVG, 460 pixels wide; ``marks`` (median, 95 %) are drawn as lines.

    With a ``field`` each bar links to ``#field=low-high``. Raises ``DataError`` without a value.
    """
    given = np.asarray(values, float)
    if not len(given) or not np.isfinite(given).all():
        raise DataError("a histogram needs at least one value, and all values must be finite")
    low, high = float(given.min()), float(given.max())
    logarithmic = low > 0 and high / low > _RATIO
    edges = np.geomspace(low, high, _BINS + 1) if logarithmic else np.linspace(low, high, _BINS + 1)
    if low == high:
        edges = np.array([low * 0.99, high * 1.01 or 1.0])
    counts, _ = np.histogram(given, edges)
    bars = [
        _bar(
            float(a), float(b), int(n), _place(edges, float(a)), _place(edges, float(b)), int(counts.max()), unit, field
        )
        for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)
        if n
    ]
    scale = ", logarithmic" if logarithmic else ""
    told = " · ".join(f"{name} {short(value)} {unit}" for name, value in marks.items())
    body = [
        *svg.heading(title, told, css="dr-ink"),
        svg.line(_LEFT, _TOP + _HEIGHT, _LEFT + _WIDTH, _TOP + _HEIGHT, "dr-axis"),
        *bars,
        *(_line(name, _place(edges, value), i) for i, (name, value) in enumerate(marks.items())),
        *_ticks(edges),
        svg.text(_LEFT + _WIDTH / 2, _TOP + _HEIGHT + 38, f"{unit}{scale}", "dr-small", "middle"),
        svg.upright(_LEFT - 30, _TOP + _HEIGHT / 2, "cases", "dr-small"),
    ]
    return svg.document(460, _TOP + _HEIGHT + 54, title, f"{len(given)} cases; {told}.", body)


def short(value: float, digits: int = 3) -> str:
    """So many significant digits, without an exponent."""
    if value == 0:
        return "0"
    return f"{value:,.{max(0, digits - 1 - math.floor(math.log10(abs(value))))}f}"


def _place(edges: "np.ndarray[tuple[int], np.dtype[np.float64]]", value: float) -> float:
    """Pixels from the left, bins being equally wide."""
    at = float(np.interp(value, edges, np.arange(len(edges))))
    return _LEFT + _WIDTH * at / (len(edges) - 1)


def _bar(low: float, high: float, n: int, x: float, right: float, most: int, unit: str, field: str) -> str:
    tall = max(2.0, _HEIGHT * n / most)
    told = f"{short(low)} to {short(high)} {unit}: {n} cases"
    shape = svg.rect(x + 1, _TOP + _HEIGHT - tall, right - x - 2, tall, "dr-bar", svg.hint(told), radius=2)
    return svg.link(urlencode({field: f"{low:.8g}~{high:.8g}"}) if field else "", shape, told)


def _line(name: str, x: float, place: int) -> str:
    side = "end" if x > _LEFT + _WIDTH - 60 else "start"
    shift = -5 if side == "end" else 5
    return svg.line(x, _TOP - 12, x, _TOP + _HEIGHT, "dr-ideal") + svg.text(
        x + shift, _TOP - 3 - 13 * (place % 2), name, "dr-small", side
    )


def _ticks(edges: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> list[str]:
    step = max(1, (len(edges) - 1) // 6)
    return [
        svg.text(_place(edges, float(edges[i])), _TOP + _HEIGHT + 18, short(float(edges[i]), 2), "dr-small", "middle")
        for i in range(0, len(edges), step)
    ]
