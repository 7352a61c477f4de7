"""Risk against coverage: how often is it wrong, if it answers only when sure?"""

import math
from collections.abc import Mapping, Sequence
from hashlib import sha256

from doubleread.core.errors import DataError
from doubleread.evals.drawings import svg

_LEFT, _TOP, _WIDTH, _HEIGHT = 58.0, 72.0, 382.0, 250.0
_DASHES = ("", "7 4", "2 4", "9 3 2 3", "12 4", "4 2", "1 3")
_POINTS = 300
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)
_SETTLED = 0.05
"""Below this coverage a curve swings on a handful of cases; it does not set the scale."""
_ROUNDING = 1e-9

Curve = tuple[Sequence[float], Sequence[float]]
"""Coverage and risk, both shares of 1 and equally long."""


def risk_coverage_diagram(
    curves: Mapping[str, Curve],
    *,
    title: str = "Errors among the most confident answers",
    n: int | None = None,
    marks: Mapping[str, tuple[float, float]] | None = None,
    targets: Mapping[str, str] | None = None,
) -> str:
    """Risk-coverage curves as SVG, 460 pixels wide; ``marks`` are operating points (coverage, risk) by name.

    ``targets`` say where in a page a mark leads, by the mark's name.

    Raises ``DataError`` without a curve, or for one whose two halves differ in length, are empty, or leave 0 to 1.
    """
    if not curves:
        raise DataError("a risk-coverage diagram needs at least one curve")
    for name, curve in curves.items():
        _check(name, curve)
    top, step = _scale(curves, marks or {})
    legend, rows = _legend(list(curves))
    height = _TOP + _HEIGHT + 56 + 20 * rows
    about = "lower is better; the most confident answers come first" + (f" · n = {n:,}" if n is not None else "")
    key = sha256("\0".join((title, *curves)).encode("utf-8", "replace")).hexdigest()[:10]
    clip = (
        f'<clipPath id="dr-clip-{key}"><rect x="{_LEFT - 2}" y="{_TOP - 2}" width="{_WIDTH + 4}" '
        f'height="{_HEIGHT + 4}"/></clipPath>'
    )
    body = [
        svg.text(20, 30, svg.fit(title, 420, 16), "dr-title"),
        svg.text(20, 51, about),
        *_axes(top, step),
        clip,
        f'<g clip-path="url(#dr-clip-{key})">',
        *(_curve(place, name, curve, top) for place, (name, curve) in enumerate(curves.items())),
        "</g>",
        *(_operating(list(curves), name, at, top, (targets or {}).get(name, "")) for name, at in (marks or {}).items()),
        *legend,
    ]
    return svg.document(460, height, title, _description(curves, n), body)


def _check(name: str, curve: Curve) -> None:
    coverage, risk = curve
    if len(coverage) != len(risk) or len(coverage) == 0:
        raise DataError(f"curve {name!r}: {len(coverage)} coverages and {len(risk)} risks; they must pair up")
    if not all(-_ROUNDING <= value <= 1 + _ROUNDING for value in (*coverage, *risk)):
        raise DataError(f"curve {name!r}: coverage and risk are shares between 0 and 1")


def _scale(curves: Mapping[str, Curve], marks: Mapping[str, tuple[float, float]]) -> tuple[float, float]:
    """Top of the vertical axis and the step of its ticks."""
    settled = [r for c, risks in curves.values() for at, r in zip(c, risks, strict=True) if at >= _SETTLED]
    most = max((*settled, *(risk for _, risk in marks.values())), default=0.0)
    most = min(max(most, 0.005), 1.0)
    step = next((s for s in _STEPS if most / s <= 6), 0.2)
    return min(math.ceil(most / step - 1e-9) * step, 1.0), step


def _x(coverage: float) -> float:
    return _LEFT + coverage * _WIDTH


def _y(risk: float, top: float) -> float:
    return _TOP + _HEIGHT * (1 - risk / top)


def _axes(top: float, step: float) -> list[str]:
    bottom = _TOP + _HEIGHT
    drawn: list[str] = []
    for i in range(round(top / step) + 1):
        words, css = svg.number(100 * i * step), "dr-grid" if i else "dr-axis"
        drawn += svg.level(_y(i * step, top), _LEFT, _LEFT + _WIDTH, words, css)
    for tick in (0, 20, 40, 60, 80, 100):
        drawn += svg.tick(_x(tick / 100), bottom, str(tick))
    return [
        *drawn,
        svg.upright(_LEFT - 38, _TOP + _HEIGHT / 2, "wrong among answered, %", "dr-small"),
        svg.text(_LEFT + _WIDTH / 2, bottom + 35, "answered, % of cases", "dr-small", "middle"),
    ]


def _curve(place: int, name: str, curve: Curve, top: float) -> str:
    pairs = sorted(zip(*curve, strict=True))
    if len(pairs) > _POINTS:
        pairs = [pairs[round(i * (len(pairs) - 1) / (_POINTS - 1))] for i in range(_POINTS)]
    points = [(_x(coverage), _y(risk, top)) for coverage, risk in pairs]
    colour = place % svg.COLOURS + 1
    if len(points) == 1:
        return svg.circle(*points[0], 3.5, f"dr-f{colour}", svg.hint(name))
    return svg.polyline(points, f"dr-line dr-s{colour}", svg.dash(_DASHES[place % len(_DASHES)]))


def _operating(names: Sequence[str], name: str, at: tuple[float, float], top: float, target: str) -> str:
    colour = names.index(name) % svg.COLOURS + 1 if name in names else 5
    told = f"{name}: {100 * at[1]:.1f} % wrong among the {100 * at[0]:.0f} % answered"
    return svg.link(target, svg.circle(_x(at[0]), _y(at[1], top), 5, f"dr-mark dr-f{colour}", svg.hint(told)), told)


def _legend(names: Sequence[str]) -> tuple[list[str], int]:
    """Line samples with their names, and the rows they take."""
    drawn: list[str] = []
    x, row = 20.0, 0
    for place, name in enumerate(names):
        words = svg.fit(name, 390, 11)
        wide = 36 + svg.width_of(words, 11) + 14
        if x > 20 and x + wide > 452:
            x, row = 20.0, row + 1
        y = _TOP + _HEIGHT + 60 + 20 * row
        sample = svg.polyline(
            ((x, y - 4), (x + 26, y - 4)),
            f"dr-line dr-s{place % svg.COLOURS + 1}",
            svg.dash(_DASHES[place % len(_DASHES)]),
        )
        drawn += [sample, svg.text(x + 33, y, words, "dr-small")]
        x += wide
    return drawn, row + 1


def _description(curves: Mapping[str, Curve], n: int | None) -> str:
    ends = []
    for name, (coverage, risk) in curves.items():
        at, wrong = max(zip(coverage, risk, strict=True))
        ends.append(f"{name}: {100 * wrong:.1f} % wrong with {100 * at:.0f} % answered")
    return "; ".join(ends) + ("" if n is None else f"; n = {n}") + "."
