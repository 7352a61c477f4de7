"""What a sweep found: a figure of every variant, with its interval, against how much was asked for it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from doubleread.core.errors import DataError
from doubleread.core.trust import Estimate
from doubleread.evals.drawings import svg

_LEFT, _TOP, _WIDTH, _HEIGHT = 64, 74, 400, 250
_WIDE = 500
_NAMED = 330


class Variation(NamedTuple):
    """A variant's place: ``across`` and ``up`` with their 95 % intervals."""

    name: str
    across: Estimate
    up: Estimate


def sweep_diagram(
    variations: Sequence[Variation], *, title: str, across: str, up: str, n: int, percent: tuple[bool, bool]
) -> str:
    """Variants as SVG, 500 pixels wide; the first is the one that the others are compared with.

    ``percent`` says whether either axis shows shares. Raises ``DataError`` without a variant.
    """
    if not variations:
        raise DataError("a sweep diagram needs at least one variant")
    flat = _Scale.over([one.across for one in variations], percent[0])
    high = _Scale.over([one.up for one in variations], percent[1])
    key = [_key(i, one, flat, high) for i, one in enumerate(variations)]
    height = _TOP + _HEIGHT + 62 + 19 * len(variations)
    body = [
        *svg.heading(title, f"lines are 95 % intervals over whole groups · n = {n:,}", _WIDE),
        *_axes(flat, high, across, up),
        *(_reach(i, one, flat, high) for i, one in enumerate(variations)),
        *(_mark(i, one, flat, high) for i, one in reversed(list(enumerate(variations)))),
        *(part for parts in key for part in parts),
    ]
    told = "; ".join(
        f"{one.name}: {up} {high.words(one.up.value)}, {across} {flat.words(one.across.value)}" for one in variations
    )
    return svg.document(_WIDE, height, title, f"{told}; n = {n}.", body)


class _Scale(NamedTuple):
    """An axis from ``low`` to ``high`` with a tick every ``step``."""

    low: float
    high: float
    step: float
    share: bool

    @classmethod
    def over(cls, values: Sequence[Estimate], share: bool) -> "_Scale":
        low, high = min(v.low for v in values), max(v.high for v in values)
        reach = max(high - low, 1e-3)
        power = 10.0 ** math.floor(math.log10(reach / 4))
        step = next(m * power for m in (1, 2, 5, 10) if reach / (m * power) <= 6)
        return cls(math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step or step, step, share)

    def place(self, value: float) -> float:
        """From 0 to 1 along the axis."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        return [self.low + i * self.step for i in range(round((self.high - self.low) / self.step) + 1)]

    def words(self, value: float, finer: int = 1) -> str:
        """The value in per cent or as it is, with so many decimals more than the ticks need."""
        scaled, step = (value * 100, self.step * 100) if self.share else (value, self.step)
        return f"{scaled:.{max(0, finer - math.floor(math.log10(step) + 1e-9))}f}"


def _x(scale: _Scale, value: float) -> float:
    return _LEFT + _WIDTH * scale.place(value)


def _y(scale: _Scale, value: float) -> float:
    return _TOP + _HEIGHT * (1 - scale.place(value))


def _axes(flat: _Scale, high: _Scale, across: str, up: str) -> list[str]:
    bottom = _TOP + _HEIGHT
    drawn = [svg.line(_LEFT, bottom, _LEFT + _WIDTH, bottom, "dr-axis")]
    for tick in high.ticks():
        drawn += svg.level(_y(high, tick), _LEFT, _LEFT + _WIDTH, high.words(tick, 0))
    for tick in flat.ticks():
        drawn += svg.tick(_x(flat, tick), bottom, flat.words(tick, 0))
    return [
        *drawn,
        svg.upright(_LEFT - 44, _TOP + _HEIGHT / 2, _titled(up, high), "dr-small"),
        svg.text(_LEFT + _WIDTH / 2, bottom + 35, _titled(across, flat), "dr-small", "middle"),
    ]


def _titled(name: str, scale: _Scale) -> str:
    return f"{name}, %" if scale.share else name


def _reach(place: int, one: Variation, flat: _Scale, high: _Scale) -> str:
    """A cross of both intervals."""
    x, y, css = _x(flat, one.across.value), _y(high, one.up.value), f"dr-line dr-s{_colour(place)}"
    upright = svg.polyline(((x, _y(high, one.up.low)), (x, _y(high, one.up.high))), css, _THIN)
    return upright + svg.polyline(((_x(flat, one.across.low), y), (_x(flat, one.across.high), y)), css, _THIN)


def _mark(place: int, one: Variation, flat: _Scale, high: _Scale) -> str:
    """The variant's place, with the number of its row in the key."""
    x, y = _x(flat, one.across.value), _y(high, one.up.value)
    told = f"{one.name}: {high.words(one.up.value)} ({high.words(one.up.low)}–{high.words(one.up.high)})"
    return svg.circle(x, y, 8, f"dr-mark dr-f{_colour(place)}", svg.hint(told)) + _number(x, y, place)


def _number(x: float, y: float, place: int) -> str:
    return svg.text(x, y + 3.5, str(place), "dr-count", "middle", ' style="fill:var(--dr-paper);font-weight:650"')


_THIN = ' style="stroke-width:1.25;opacity:.55"'


def _key(place: int, one: Variation, flat: _Scale, high: _Scale) -> list[str]:
    y = _TOP + _HEIGHT + 62 + 19 * place
    return [
        svg.circle(30, y - 4, 8, f"dr-f{_colour(place)}"),
        _number(30, y - 4, place),
        svg.text(46, y, svg.fit(one.name, _NAMED, 12), "dr-ink"),
        svg.text(_WIDE - 20, y, f"{high.words(one.up.value)} at {flat.words(one.across.value)}", "", "end"),
    ]


def _colour(place: int) -> int:
    return place % svg.COLOURS + 1
