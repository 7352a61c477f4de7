"""Reliability diagrams: are answers with a confidence of 80 % right in 80 % of the cases?"""

import math
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple
from urllib.parse import urlencode

from doubleread.core.errors import DataError
from doubleread.core.trust import CalibrationError, ReliabilityBin
from doubleread.evals.drawings import svg
from doubleread.orchestrator.metrics import wilson

_STRIP = 42.0
_GAP = 10.0
_TICKS = (0, 20, 40, 60, 80, 100)
_ENOUGH = 5
"""Cases a bin needs before it is called over- or under-confident; Wilson's interval is too short for fewer."""


class ReliabilityPanel(NamedTuple):
    """What one reliability diagram shows."""

    title: str
    bins: Sequence[ReliabilityBin]
    ece: float | None
    """Expected calibration error, 0 to 1."""
    chance: float | None
    """Mean ECE that a perfectly calibrated reader would show on as many cases."""
    n: int
    coverage: float | None = None
    """Share of the cases that were answered, where not all were."""
    chance_high: float | None = None
    """95th percentile of that ECE."""
    reader: str = ""
    """Whose cases the bins lead to, in a page that can show them; no links without."""

    @classmethod
    def of(
        cls, title: str, bins: Sequence[ReliabilityBin], error: CalibrationError, n: int, reader: str = ""
    ) -> "ReliabilityPanel":
        """Of a calibration error with its chance level."""
        return cls(title, bins, error.value, error.chance, n, chance_high=error.chance_high, reader=reader)


PlainPanel = tuple[str, Sequence[ReliabilityBin], float | None, float | None, int]
"""The first five fields of a ``ReliabilityPanel``."""


class _Box:
    """A square plot and the strip of counts beneath it, in pixels."""

    def __init__(self, left: float, top: float, side: float) -> None:
        self.left, self.top, self.side = left, top, side
        self.right, self.bottom = left + side, top + side
        self.strip_top, self.strip_bottom = self.bottom + _GAP, self.bottom + _GAP + _STRIP

    def x(self, share: float) -> float:
        return self.left + share * self.side

    def y(self, share: float) -> float:
        return self.bottom - share * self.side


def reliability_diagram(
    bins: Sequence[ReliabilityBin],
    *,
    title: str,
    ece: float | None,
    chance: float | None,
    n: int,
    coverage: float | None = None,
    chance_high: float | None = None,
    reader: str = "",
) -> str:
    """One reliability diagram as SVG, 460 pixels wide.

    Each bin is a mark at its mean confidence and its share of right answers, with a 95 % Wilson interval; the strip
    beneath counts its cases. A triangle says that the whole interval of at least five cases lies off the
    stated confidence. ``ece``, ``chance`` (mean ECE of perfect calibration), ``chance_high`` (its 95th percentile) and
    ``coverage`` are shares of 1. With a ``reader`` each bin links to ``#by=reader&from=…&to=…``.
    """
    panel = ReliabilityPanel(title, bins, ece, chance, n, coverage, chance_high, reader)
    box = _Box(58, 88, 380)
    body = [
        svg.text(20, 30, svg.fit(title, 420, 16), "dr-title"),
        svg.text(20, 51, _figures(panel), "dr-ink"),
        svg.text(20, 69, _chance(panel), "dr-small"),
        *_plot(panel, box),
        *_legend(20, box.strip_bottom + 62),
    ]
    return svg.document(460, box.strip_bottom + 80, title, _description(panel), body)


def reliability_grid(
    panels: Sequence[ReliabilityPanel | PlainPanel],
    *,
    title: str = "Can each agent’s confidence be trusted?",
    columns: int = 3,
) -> str:
    """Several agents' reliability diagrams side by side, at most ``columns`` in a row.

    Raises ``DataError`` without a panel.
    """
    made = [ReliabilityPanel(*panel) for panel in panels]
    if not made:
        raise DataError("a grid of reliability diagrams needs at least one panel")
    rows = math.ceil(len(panels) / max(1, columns))
    across = math.ceil(len(panels) / rows)
    side, step_x, step_y = 210.0, 286.0, 384.0
    body: list[str] = []
    for place, panel in enumerate(made):
        left, top = 20 + step_x * (place % across), 56 + step_y * (place // across)
        body += [
            svg.text(left, top + 10, svg.fit(panel.title, 256, 13.5), "dr-head"),
            svg.text(left, top + 28, svg.fit(_figures(panel), 262, 12), "dr-ink"),
            svg.text(left, top + 44, _chance(panel, short=True), "dr-small"),
            *_plot(panel, _Box(left + 38, top + 60, side)),
        ]
    width = max(20 + step_x * across, 460)
    bottom = 56 + step_y * rows
    body = [svg.text(20, 30, svg.fit(title, width - 40, 16), "dr-title"), *body, *_legend(20, bottom + 10)]
    return svg.document(width, bottom + 28, title, " ".join(_description(panel) for panel in made), body)


def _figures(panel: ReliabilityPanel) -> str:
    parts = [f"ECE {_share(panel.ece)}", f"n = {panel.n:,}"]
    if panel.coverage is not None:
        parts.append(f"answered {svg.percent(panel.coverage)}")
    return " · ".join(parts)


def _chance(panel: ReliabilityPanel, *, short: bool = False) -> str:
    if panel.chance is None:
        return ""
    high = "" if panel.chance_high is None else f" (95 %: {_share(panel.chance_high)})"
    meaning = "" if short else ": ECE of a perfectly calibrated agent"
    return f"chance level {_share(panel.chance)}{high}{meaning}"


def _description(panel: ReliabilityPanel) -> str:
    filled = _filled(panel)
    if not filled:
        return f"{panel.title}: no cases."
    points = "; ".join(
        f"confidence {svg.percent(b.confidence)}, right {svg.percent(b.accuracy)}, n {b.n}" for b in filled
    )
    return f"{panel.title}: {_figures(panel)}; {_chance(panel, short=True)}. Bins: {points}."


def _filled(panel: ReliabilityPanel) -> list[ReliabilityBin]:
    return sorted((b for b in panel.bins if b.n > 0), key=lambda b: b.confidence)


def _plot(panel: ReliabilityPanel, box: _Box) -> list[str]:
    filled = _filled(panel)
    if not filled:
        return [*_axes(box), svg.text(box.x(0.3), box.y(0.65), "no cases", "dr-ink", "middle")]
    return [
        *_axes(box),
        *_sides(filled, box),
        *_strip(filled, box, panel.reader),
        *_marks(filled, box, panel.reader),
    ]


def _sides(bins: Sequence[ReliabilityBin], box: _Box) -> list[str]:
    """What lies on either side of the diagonal, said where nothing else is drawn and there is room."""
    if box.side < 300:
        return []
    drawn: list[str] = []
    spans = [(b.confidence, *wilson(round(b.accuracy * b.n), b.n)) for b in bins]
    if not any(at < 0.5 and high > 0.9 for at, _, high in spans):
        drawn.append(svg.text(box.left + 10, box.top + 20, "under-confident", "dr-faint"))
    if not any(at > 0.5 and low < 0.1 for at, low, _ in spans):
        drawn.append(svg.text(box.right - 10, box.bottom - 11, "over-confident", "dr-faint", "end"))
    return drawn


def _axes(box: _Box) -> list[str]:
    lines: list[str] = []
    for tick in _TICKS:
        across = svg.level(box.y(tick / 100), box.left, box.right, str(tick))
        below = svg.tick(box.x(tick / 100), box.strip_bottom, str(tick))
        lines += chain.from_iterable(zip(across, below, strict=True))
    return [
        *lines,
        svg.line(box.left, box.bottom, box.right, box.top, "dr-ideal"),
        svg.line(box.left, box.strip_bottom, box.right, box.strip_bottom, "dr-axis"),
        svg.upright(box.left - 34, (box.top + box.bottom) / 2, "right, %", "dr-small"),
        svg.upright(box.left - 34, (box.strip_top + box.strip_bottom) / 2, "cases", "dr-small"),
        svg.text((box.left + box.right) / 2, box.strip_bottom + 35, "confidence, %", "dr-small", "middle"),
    ]


def _target(b: ReliabilityBin, reader: str) -> str:
    if not reader:
        return ""
    return urlencode({"by": reader, "from": f"{b.low:.6g}", "to": f"{b.high:.6g}"})


def _strip(bins: Sequence[ReliabilityBin], box: _Box, reader: str) -> list[str]:
    """Bars as wide as their bins; counts above them where there is room, the largest first."""
    most = max(b.n for b in bins)
    drawn: list[str] = []
    taken: list[tuple[float, float]] = []
    for b in sorted(bins, key=lambda b: -b.n):
        left, right = box.x(b.low), box.x(b.high)
        width, height = max(right - left - 2, 2.0), max((_STRIP - 13) * b.n / most, 1.5)
        middle, top, words = (left + right) / 2, box.strip_bottom - height, f"{b.n:,}"
        bar = svg.rect(middle - width / 2, top, width, height, "dr-bar", svg.hint(_told(b)))
        drawn.append(svg.link(_target(b, reader), bar, _told(b)))
        half = svg.width_of(words, 11) / 2 + 1
        if all(abs(middle - other) >= half + its for other, its in taken):
            drawn.append(svg.text(middle, top - 3, words, "dr-count", "middle"))
            taken.append((middle, half))
    return drawn


def _marks(bins: Sequence[ReliabilityBin], box: _Box, reader: str) -> list[str]:
    most = max(b.n for b in bins)
    path = svg.polyline(
        ((box.x(b.confidence), box.y(b.accuracy)) for b in bins), "dr-line dr-s1", ' stroke-opacity=".35"'
    )
    bars: list[str] = []
    marks: list[str] = []
    for b in bins:
        low, high = wilson(round(b.accuracy * b.n), b.n)
        colour = _colour(b)
        x = box.x(b.confidence)
        bars.append(svg.line(x, box.y(low), x, box.y(high), f"dr-line dr-s{colour}"))
        mark = _mark(x, box.y(b.accuracy), 3.4 + 3 * math.sqrt(b.n / most), colour, svg.hint(_told(b)))
        marks.append(svg.link(_target(b, reader), mark, _told(b)))
    return [path, *bars, *marks]


def _colour(b: ReliabilityBin) -> int:
    """1: as often right as the confidence says, 2: less often, 3: more often; judged by the Wilson interval."""
    if b.n < _ENOUGH:
        return 1
    low, high = wilson(round(b.accuracy * b.n), b.n)
    if high < b.confidence:
        return 2
    return 3 if low > b.confidence else 1


def _mark(x: float, y: float, radius: float, colour: int, inner: str = "") -> str:
    css = f"dr-mark dr-f{colour}"
    if colour == 1:
        return svg.circle(x, y, radius, css, inner)
    return svg.triangle(x, y, radius, css, up=colour == 3, inner=inner)


def _legend(left: float, y: float) -> list[str]:
    items: Iterable[tuple[int, str]] = ((1, "calibrated"), (2, "over-confident"), (3, "under-confident"))
    drawn: list[str] = []
    x = left + 6
    for colour, words in items:
        drawn += [_mark(x, y - 4, 4.5, colour), svg.text(x + 10, y, words, "dr-small")]
        x += 30 + svg.width_of(words, 11)
    drawn += [svg.line(x, y - 10, x, y + 2, "dr-line dr-s1"), svg.text(x + 8, y, "95 % interval", "dr-small")]
    return drawn


def _told(b: ReliabilityBin) -> str:
    right = round(b.accuracy * b.n)
    low, high = wilson(right, b.n)
    return (
        f"confidence {svg.percent(b.low)} to {svg.percent(b.high)}, mean {svg.percent(b.confidence)}: "
        f"{right} of {b.n} right = {svg.percent(b.accuracy)} (95 % interval {svg.percent(low)} to {svg.percent(high)})"
    )


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"
