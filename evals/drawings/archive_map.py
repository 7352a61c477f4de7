"""A map of an archive: cases that look alike lie together, and a case among others of another label stands out."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from doubleread.core.errors import DataError
from doubleread.core.types import Matrix
from doubleread.evals.drawings import svg

_WIDTH, _SIDE, _TOP, _LEFT = 960.0, 640.0, 70.0, 20.0
_EDGE = 18.0
_LOWEST, _HIGHEST = 280.0, 760.0
"""Between these the field is as high as the points need."""
_LEGEND = _LEFT + _SIDE + 28
_ROW = 22.0
_SHAPES = 5
_MOST = svg.COLOURS * _SHAPES - 1
"""Labels with a mark of their own: seven colours and five shapes never give the same pair before they are all used."""
_OTHERS = "other labels"


class MapPoint(NamedTuple):
    """One case on the map."""

    x: float
    y: float
    label: str
    told: str
    """What shows when the pointer rests on it."""


def archive_map(points: Sequence[MapPoint], *, title: str, caption: str) -> str:
    """The map as SVG, 960 pixels wide; ``x`` and ``y`` in any unit. Each label has a colour and a shape.

    Raises ``DataError`` without a point and for places that are not finite.
    """
    places = np.array([(p.x, p.y) for p in points], dtype=float).reshape(-1, 2)
    if not len(points):
        raise DataError("a map needs at least one case")
    if not np.isfinite(places).all():
        raise DataError("a coordinate of the map is not finite; draw the map again")
    counts = Counter(p.label for p in points)
    shown = [label for label, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]
    marks = {label: i for i, label in enumerate(shown[:_MOST])}
    scaled, tall = _scaled(places)
    height = max(_TOP + tall + 20, _TOP + _ROW * (min(len(shown), _MOST + 1) + 1) + 30)
    body = [
        svg.text(_LEFT, 30, svg.fit(title, _WIDTH - 40, 16), "dr-title"),
        svg.text(_LEFT, 52, svg.fit(caption, _WIDTH - 40, 12)),
        svg.rect(_LEFT, _TOP, _SIDE, tall, "dr-field", radius=8),
        _STYLE,
        *_points(points, scaled, marks),
        *_legend(counts, marks),
    ]
    return svg.document(_WIDTH, height, title, _description(caption, counts), body)


_STYLE = (
    "<style>.dr-plot .dr-field{fill:var(--dr-grid);fill-opacity:.35}"
    ".dr-plot .dr-dot{stroke:var(--dr-paper);stroke-width:.8;fill-opacity:.88}"
    ".dr-plot .dr-f0{fill:var(--dr-axis)}"
    ".dr-plot .dr-dot:hover{stroke:var(--dr-ink);stroke-width:2;fill-opacity:1}</style>"
)


def _scaled(places: Matrix) -> tuple[Matrix, float]:
    """Pixels, and the height of the field. One scale for both axes, so that distances stay; y grows downwards."""
    low, high = places.min(axis=0), places.max(axis=0)
    wide, tall = np.maximum(high - low, 1e-12)
    scale = min((_SIDE - 2 * _EDGE) / wide, (_HIGHEST - 2 * _EDGE) / tall)
    height = max(_LOWEST, float(tall * scale) + 2 * _EDGE)
    middle = np.array([_LEFT + _SIDE / 2, _TOP + height / 2])
    scaled: Matrix = (places - (low + high) / 2) * scale * np.array([1, -1]) + middle
    return scaled, height


def _points(points: Sequence[MapPoint], places: Matrix, marks: dict[str, int]) -> list[str]:
    """Rare labels are drawn last, so that they lie on top."""
    radius = min(5.0, max(2.6, 90 / math.sqrt(len(points))))
    order = sorted(range(len(points)), key=lambda i: marks.get(points[i].label, -1))
    return [
        _mark(marks.get(points[i].label), places[i, 0], places[i, 1], radius, svg.hint(points[i].told)) for i in order
    ]


def _mark(place: int | None, x: float, y: float, radius: float, inner: str = "") -> str:
    if place is None:
        return svg.circle(x, y, radius * 0.8, "dr-dot dr-f0", inner)
    css = f"dr-dot dr-f{place % svg.COLOURS + 1}"
    shape = place % _SHAPES
    if shape == 0:
        return svg.circle(x, y, radius, css, inner)
    if shape in (1, 2):
        return svg.triangle(x, y, radius, css, up=shape == 1, inner=inner)
    r = radius * (0.9 if shape == 3 else 1.3)
    if shape == 3:
        return svg.rect(x - r, y - r, 2 * r, 2 * r, css, inner)
    corners = ((x, y - r), (x + r, y), (x, y + r), (x - r, y))
    path = " ".join(f"{svg.number(a)},{svg.number(b)}" for a, b in corners)
    return f'<polygon points="{path}" class="{css}">{inner}</polygon>'


def _legend(counts: Counter[str], marks: dict[str, int]) -> list[str]:
    """Labels with their counts, the most frequent first."""
    rows: list[tuple[str, int | None, int]] = [(label, place, counts[label]) for label, place in marks.items()]
    rest = counts.total() - sum(n for _, _, n in rows)
    if rest:
        rows.append((_OTHERS, None, rest))
    drawn = [
        svg.text(_LEGEND, _TOP + 12, "label", "dr-small"),
        svg.text(_WIDTH - 20, _TOP + 12, "cases", "dr-small", "end"),
    ]
    for i, (label, place, n) in enumerate(rows):
        y = _TOP + _ROW * (i + 1) + 14
        drawn += [
            _mark(place, _LEGEND + 6, y - 4, 5.0),
            svg.text(_LEGEND + 22, y, svg.fit(label, _WIDTH - _LEGEND - 90, 12.5), "dr-ink"),
            svg.text(_WIDTH - 20, y, f"{n:,}", "", "end"),
        ]
    return drawn


def _description(caption: str, counts: Counter[str]) -> str:
    told = ", ".join(f"{label} {n:,}" for label, n in counts.most_common(20))
    return f"{caption} Cases by label: {told}."
