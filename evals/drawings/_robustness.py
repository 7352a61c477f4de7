"""Small multiples: how shares of cases change as pictures get worse, one plot a corruption."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from doubleread.core.errors import DataError
from doubleread.core.trust import Estimate
from doubleread.evals.drawings import svg

_COLUMNS, _CELL_WIDTH, _CELL_HEIGHT = 4, 240, 182
_LEFT, _TOP, _HEAD = 46, 44, 96
_WIDTH, _HEIGHT = 176, 96
_MOST = 5
_DASHES = ("", "", "7 4", "2 4")
_COLOURS = (1, 2, 3, 4)


class RobustnessCurve(NamedTuple):
    """A share at each severity that it is known at; severity 0 is the clean picture."""

    name: str
    points: tuple[tuple[int, Estimate], ...]


class RobustnessPlot(NamedTuple):
    """One corruption: up to four courses, in the same order in every plot."""

    name: str
    about: str
    courses: tuple[RobustnessCurve, ...]


def robustness_grid(plots: Sequence[RobustnessPlot], *, title: str, about: str, promise: float, banded: str) -> str:
    """The plots as SVG, 980 pixels wide. ``promise`` is drawn as a level; ``banded`` names the course with intervals.

    Raises ``DataError`` without a plot.
    """
    if not plots:
        raise DataError("a robustness grid needs at least one corruption")
    rows = -(-len(plots) // _COLUMNS)
    body = [
        *svg.heading(title, about, 980),
        *_legend([course.name for course in plots[0].courses], promise),
    ]
    for place, plot in enumerate(plots):
        x = 20 + _CELL_WIDTH * (place % _COLUMNS)
        y = _HEAD + _CELL_HEIGHT * (place // _COLUMNS)
        body += [f'<g transform="translate({x} {y})">', *_plot(plot, promise, banded), "</g>"]
    told = "; ".join(_told(plot) for plot in plots)
    return svg.document(980, _HEAD + rows * _CELL_HEIGHT + 8, title, f"{about}. {told}.", body)


def _legend(names: Sequence[str], promise: float) -> Iterator[str]:
    x = 20.0
    for place, name in enumerate(names):
        yield _line(place, ((x, 74), (x + 26, 74)))
        yield _mark(place, x + 13, 74)
        yield svg.text(x + 33, 78, name, "dr-small")
        x += 47 + svg.width_of(name, 11)
    yield svg.line(x, 74, x + 26, 74, "dr-ideal")
    yield svg.text(x + 33, 78, f"error limit ({svg.percent(promise)})", "dr-small")


def _plot(plot: RobustnessPlot, promise: float, banded: str) -> Iterator[str]:
    yield svg.text(_LEFT, 14, svg.fit(plot.name, _WIDTH, 13.5), "dr-head")
    yield svg.text(_LEFT, 30, svg.fit(plot.about, _WIDTH, 11), "dr-small")
    yield from _axes()
    yield svg.line(_LEFT, _y(promise), _LEFT + _WIDTH, _y(promise), "dr-ideal")
    for place, course in enumerate(plot.courses):
        if course.name == banded:
            yield from (_reach(place, at, e) for at, e in course.points)
        if len(course.points) > 1:
            yield _line(place, [(_x(at), _y(e.value)) for at, e in course.points])
        yield from (_mark(place, _x(at), _y(e.value), _hint(course.name, at, e)) for at, e in course.points)


def _axes() -> Iterator[str]:
    for share in (0.0, 0.5, 1.0):
        yield svg.line(_LEFT, _y(share), _LEFT + _WIDTH, _y(share), "dr-grid" if share else "dr-axis")
        yield svg.text(_LEFT - 6, _y(share) + 4, f"{100 * share:.0f}", "dr-count", "end")
    for at in range(_MOST + 1):
        yield svg.text(_x(at), _TOP + _HEIGHT + 15, str(at) if at else "clean", "dr-count", "middle")


def _x(severity: int) -> float:
    return _LEFT + 10 + (_WIDTH - 20) * severity / _MOST


def _y(share: float) -> float:
    return _TOP + _HEIGHT * (1 - share)


def _line(place: int, points: Sequence[tuple[float, float]]) -> str:
    css = f"dr-line dr-s{_COLOURS[place % len(_COLOURS)]}"
    return svg.polyline(points, css, svg.dash(_DASHES[place % len(_DASHES)]))


def _mark(place: int, x: float, y: float, hint: str = "") -> str:
    """A shape of its own for each course."""
    css = f"dr-mark dr-f{_COLOURS[place % len(_COLOURS)]}"
    if place == 0:
        return svg.circle(x, y, 3.5, css, hint)
    if place == 3:
        return svg.rect(x - 3, y - 3, 6, 6, css, hint)
    return svg.triangle(x, y, 3.5, css, up=place == 1, inner=hint)


def _reach(place: int, at: int, e: Estimate) -> str:
    css, thin = f"dr-line dr-s{_COLOURS[place % len(_COLOURS)]}", ' style="stroke-width:5;opacity:.28"'
    return svg.polyline(((_x(at), _y(e.low)), (_x(at), _y(e.high))), css, thin)


def _hint(name: str, at: int, e: Estimate) -> str:
    where = f"severity {at}" if at else "clean"
    return svg.hint(f"{name}, {where}: {svg.percent(e.value)} ({svg.percent(e.low)} to {svg.percent(e.high)})")


def _told(plot: RobustnessPlot) -> str:
    ends = [f"{c.name} {svg.percent(c.points[-1][1].value)}" for c in plot.courses if c.points]
    last = max((at for c in plot.courses for at, _ in c.points), default=0)
    return f"{plot.name} at severity {last}: {', '.join(ends)}"
