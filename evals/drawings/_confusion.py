"""Confusion matrices: what is said of what."""

from collections.abc import Sequence
from urllib.parse import urlencode

from doubleread.core.errors import DataError
from doubleread.evals.drawings import svg

_FIELD = 330.0
_LARGEST, _SMALLEST, _WRITTEN = 58.0, 9.0, 21.0
"""Sides of a cell; from ``_WRITTEN`` on it holds its number."""
_LEFT, _TOP = 124.0, 76.0
_STRONG = 0.78
"""From that opacity on, the colour of a cell calls for the other ink."""
_STYLE = (
    "<style>.dr-plot .dr-hit{fill:var(--dr-c1)}.dr-plot .dr-miss{fill:var(--dr-c2)}"
    ".dr-plot .dr-empty{fill:var(--dr-grid);fill-opacity:.45}.dr-plot .dr-cell{font-weight:600}"
    ".dr-plot .dr-on{fill:var(--dr-paper)}.dr-plot .dr-over{fill:#1b1f24}</style>"
)


def confusion_matrix(
    labels: Sequence[str], counts: Sequence[Sequence[int]], *, title: str, reader: str = "", small: bool = False
) -> str:
    """``counts[true][said]`` as SVG, at least 460 pixels wide (300 if ``small``); rows are true labels.

    A cell's strength is its share of its row. With a ``reader`` each cell links to ``#by=reader&true=…&said=…``.
    Raises ``DataError`` where the counts are no square of the labels.
    """
    k = len(labels)
    if k == 0 or len(counts) != k or any(len(row) != k for row in counts):
        raise DataError(f"a confusion matrix of {k} labels needs {k} rows of {k} counts")
    left = _LEFT - 30 if small else _LEFT
    cell = min(_LARGEST, max(_SMALLEST, (_FIELD - (130 if small else 0)) / k))
    field = cell * k
    body = [
        svg.text(20, 30, svg.fit(title, 420 if not small else 270, 16 if not small else 13.5), "dr-title"),
        svg.text(20, 51, f"{_right(counts)} of {sum(map(sum, counts))} right", "dr-ink"),
        _STYLE,
        *(_label_of_row(labels[i], left, _TOP + cell * (i + 0.5) + 4) for i in range(k)),
        *(_label_of_column(labels[i], left + cell * (i + 0.5), _TOP + field + 14) for i in range(k)),
        *(
            _cell(labels, counts, (true, said), (left + cell * said, _TOP + cell * true, cell), reader)
            for true in range(k)
            for said in range(k)
        ),
        svg.upright(16, _TOP + field / 2, "true", "dr-small"),
    ]
    width = max(300.0 if small else 460.0, left + field + 60)
    return svg.document(width, _TOP + field + 92, title, _description(labels, counts), body)


def _right(counts: Sequence[Sequence[int]]) -> int:
    return sum(row[i] for i, row in enumerate(counts))


def _label_of_row(label: str, left: float, y: float) -> str:
    return svg.text(left - 8, y, svg.fit(label, left - 32, 11.5), "dr-small", "end")


def _label_of_column(label: str, x: float, y: float) -> str:
    turned = f' transform="rotate(35 {svg.number(x)} {svg.number(y)})"'
    return svg.text(x, y, svg.fit(label, 108, 11), "dr-small", "start", turned)


def _cell(
    labels: Sequence[str],
    counts: Sequence[Sequence[int]],
    place: tuple[int, int],
    at: tuple[float, float, float],
    reader: str,
) -> str:
    (true, said), (x, y, side) = place, at
    n, of = counts[true][said], sum(counts[true])
    inset = 1.5 if side > _WRITTEN else 0.5
    if n == 0:
        return svg.rect(x + inset, y + inset, side - 2 * inset, side - 2 * inset, "dr-empty", radius=side / 12)
    share = n / of
    told = f"{n} of {of} cases that are {labels[true]} were called {labels[said]} ({svg.percent(share)})"
    strength = 0.18 + 0.82 * share**0.5 if true != said else 0.25 + 0.75 * share
    css = "dr-hit" if true == said else "dr-miss"
    size = f'width="{svg.number(side - 2 * inset)}" height="{svg.number(side - 2 * inset)}"'
    shape = (
        f'<rect x="{svg.number(x + inset)}" y="{svg.number(y + inset)}" {size} rx="{svg.number(side / 12)}" '
        f'class="{css}" fill-opacity="{svg.number(strength)}">{svg.hint(told)}</rect>'
    )
    if side >= _WRITTEN:
        shape += svg.text(x + side / 2, y + side / 2 + 4, str(n), f"dr-cell {_ink(strength, true == said)}", "middle")
    query = urlencode({"by": reader, "true": labels[true], "said": labels[said]}) if reader else ""
    return svg.link(query, shape, told)


def _ink(strength: float, hit: bool) -> str:
    """The class of a number that can be read on its cell, light and dark."""
    if strength < _STRONG:
        return "dr-ink"
    return "dr-on" if hit else "dr-over"


def _description(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    mixed = sorted(
        ((n, labels[i], labels[j]) for i, row in enumerate(counts) for j, n in enumerate(row) if i != j and n),
        reverse=True,
    )
    told = "; ".join(f"{true} called {said}: {n}" for n, true, said in mixed[:20]) or "no errors"
    return f"{_right(counts)} of {sum(map(sum, counts))} right. {told}."
