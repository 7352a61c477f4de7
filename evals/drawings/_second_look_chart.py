"""What a second look changed: right and wrong before it, right and wrong after it."""

from typing import NamedTuple

from doubleread.evals.drawings import svg

_TOP, _HEIGHT, _GAP = 104.0, 190.0, 26.0
_BEFORE, _AFTER, _BAR = 96.0, 350.0, 14.0
_SMALLEST = 3.0
_STYLE = (
    "<style>.dr-plot .dr-same{fill:var(--dr-axis);fill-opacity:.3}"
    ".dr-plot .dr-helped{fill:var(--dr-c3);fill-opacity:.75}"
    ".dr-plot .dr-harmed{fill:var(--dr-c2);fill-opacity:.8}</style>"
)


class Turns(NamedTuple):
    """Cases that were looked at again, by whether the leading label was right before and after."""

    stayed_right: int
    helped: int
    """From wrong to right."""
    harmed: int
    """From right to wrong."""
    stayed_wrong: int


def second_look_flow(turns: Turns, *, title: str, about: str, linked: bool = False) -> str:
    """The flow as SVG, 460 pixels wide; ``linked`` bands lead to ``#show=…``."""
    total = max(sum(turns), 1)
    scale = (_HEIGHT - _GAP) / total
    right_before, wrong_before = turns.stayed_right + turns.harmed, turns.helped + turns.stayed_wrong
    right_after, wrong_after = turns.stayed_right + turns.helped, turns.harmed + turns.stayed_wrong
    low_before, low_after = _TOP + right_before * scale + _GAP, _TOP + right_after * scale + _GAP
    bands = (
        ("looked,right,-helped", "dr-same", turns.stayed_right, _TOP, _TOP, "right before and after"),
        ("harmed", "dr-harmed", turns.harmed, _TOP + turns.stayed_right * scale, low_after, "right, then wrong"),
        ("helped", "dr-helped", turns.helped, low_before, _TOP + turns.stayed_right * scale, "wrong, then right"),
        (
            "looked,wrong,-harmed",
            "dr-same",
            turns.stayed_wrong,
            low_before + turns.helped * scale,
            low_after + turns.harmed * scale,
            "wrong before and after",
        ),
    )
    body = [
        *svg.heading(title, about, css="dr-ink"),
        _STYLE,
        svg.text(_BEFORE, _TOP - 14, "before", "dr-small"),
        svg.text(_AFTER, _TOP - 14, "after", "dr-small", "end"),
        *(_band(*band, scale, linked) for band in bands if band[2]),
        *_end(right_before, wrong_before, scale, _BEFORE - _BAR, before=True),
        *_end(right_after, wrong_after, scale, _AFTER, before=False),
        svg.text(20, _TOP + _HEIGHT + 34, f"✓ helped {turns.helped}", "dr-ink"),
        svg.text(120, _TOP + _HEIGHT + 34, f"✗ harmed {turns.harmed}", "dr-ink"),
    ]
    told = f"{about}. Helped {turns.helped}, harmed {turns.harmed}, right both times {turns.stayed_right}, "
    return svg.document(460, _TOP + _HEIGHT + 54, title, f"{told}wrong both times {turns.stayed_wrong}.", body)


def _band(query: str, css: str, n: int, start: float, end: float, told: str, scale: float, linked: bool) -> str:
    thick = max(n * scale, _SMALLEST)
    middle = (_BEFORE + _AFTER) / 2
    path = (
        f"M{svg.number(_BEFORE)} {svg.number(start)}C{svg.number(middle)} {svg.number(start)} {svg.number(middle)} "
        f"{svg.number(end)} {svg.number(_AFTER)} {svg.number(end)}v{svg.number(thick)}C{svg.number(middle)} "
        f"{svg.number(end + thick)} {svg.number(middle)} {svg.number(start + thick)} {svg.number(_BEFORE)} "
        f"{svg.number(start + thick)}z"
    )
    words = f"{told}: {n}"
    return svg.link(
        f"show={query}" if linked else "", f'<path d="{path}" class="{css}">{svg.hint(words)}</path>', words
    )


def _end(right: int, wrong: int, scale: float, x: float, *, before: bool) -> list[str]:
    drawn: list[str] = []
    beside, anchor = (x - 8, "end") if before else (x + _BAR + 8, "start")
    for n, top, css, words in (
        (right, _TOP, "dr-f1", "✓ right"),
        (wrong, _TOP + right * scale + _GAP, "dr-f2", "✗ wrong"),
    ):
        tall = max(n * scale, _SMALLEST if n else 0)
        middle = top + tall / 2
        drawn += [
            svg.rect(x, top, _BAR, tall, css),
            svg.text(beside, middle - 1, words, "dr-small", anchor),
            svg.text(beside, middle + 14, f"{n:,}", "dr-ink", anchor),
        ]
    return drawn
