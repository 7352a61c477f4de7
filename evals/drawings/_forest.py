"""One figure of many groups, each with its interval: which differ from the whole?"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from doubleread.core.errors import DataError
from doubleread.core.trust import Estimate
from doubleread.evals.drawings import svg

_WIDTH, _LEFT, _SPAN, _ROW, _TOP = 940.0, 300.0, 430.0, 24.0, 74.0


class ForestRow(NamedTuple):
    """A group and its figure, a share of 1; ``head`` rows are titles, ``target`` is where it leads in a page."""

    name: str
    n: int
    share: Estimate | None
    target: str = ""
    head: bool = False
    small: bool = False
    """Too few cases to conclude from: drawn hollow."""


def forest_plot(rows: Sequence[ForestRow], *, title: str, about: str, whole: Estimate) -> str:
    """Shares with their intervals as SVG, 940 pixels wide, beside the interval of the ``whole``.

    Raises ``DataError`` without a row.
    """
    if not rows:
        raise DataError("a forest plot needs at least one row")
    lows = [whole.low, *(row.share.low for row in rows if row.share)]
    start = max(0.0, min(0.9, int(min(lows) * 10) / 10))
    bottom = _TOP + 22 + _ROW * len(rows)

    def x(share: float) -> float:
        return _LEFT + _SPAN * (max(share, start) - start) / (1 - start)

    body = [
        *svg.heading(title, about, _WIDTH, "dr-ink"),
        svg.rect(x(whole.low), _TOP, max(1.5, x(whole.high) - x(whole.low)), bottom - _TOP, "dr-bar"),
        svg.line(x(whole.value), _TOP, x(whole.value), bottom, "dr-line dr-s1"),
    ]
    for i in range(6):
        share = start + (1 - start) * i / 5
        body += [
            svg.line(x(share), bottom, x(share), bottom + 4, "dr-axis"),
            svg.text(x(share), bottom + 18, svg.percent(share), "dr-small", "middle"),
        ]
    body += [svg.line(_LEFT, bottom, _LEFT + _SPAN, bottom, "dr-axis")]
    for i, row in enumerate(rows):
        body += _row(row, _TOP + 22 + _ROW * i, x)
    told = "; ".join(f"{row.name} {svg.percent(row.share.value)} of {row.n}" for row in rows if row.share)
    return svg.document(_WIDTH, bottom + 34, title, f"{about} {told}.", body)


def _row(row: ForestRow, y: float, x: Callable[[float], float]) -> list[str]:
    if row.head:
        return [svg.text(20, y + 4, svg.fit(row.name, _LEFT - 40, 12.5), "dr-head")]
    name = svg.text(36, y + 4, svg.fit(row.name, _LEFT - 110, 12), "dr-ink")
    count = svg.text(_LEFT - 16, y + 4, f"{row.n:,}", "dr-small", "end")
    if row.share is None:
        return [name, count, svg.text(_LEFT + _SPAN + 24, y + 4, "no answers", "dr-faint")]
    low, high = svg.percent(row.share.low), svg.percent(row.share.high)
    told = f"{row.name}: {svg.percent(row.share.value)} of {row.n} ({low} to {high})"
    mark = svg.circle(
        x(row.share.value), y, 5, "dr-paper dr-line dr-s1" if row.small else "dr-mark dr-f1", svg.hint(told)
    )
    figures = f"{svg.percent(row.share.value)} ({100 * row.share.low:.1f}–{100 * row.share.high:.1f})"
    shape = "".join(
        (
            name,
            svg.line(x(row.share.low), y, x(row.share.high), y, "dr-line dr-s1"),
            mark,
            svg.text(_LEFT + _SPAN + 24, y + 4, figures + (" few cases" if row.small else ""), "dr-ink"),
        )
    )
    return [count, svg.link(row.target, shape, told)]
