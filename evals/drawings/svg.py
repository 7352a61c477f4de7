"""The few SVG elements the diagrams are made of, and their look.

Everything is styled below the class ``dr-plot``, so that a drawing may stand alone, in an ``<img>``, or in a page. A
page with a switch of its own sets ``data-theme`` to ``light`` or ``dark`` on an element around it.
"""

import hashlib
import re
from collections.abc import Iterable
from html import escape

_NOT_XML = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
_EM = 0.58
"""Mean width of a letter in the fonts of the stack, in font sizes; on the generous side."""

_LIGHT = (
    "--dr-paper:#fff;--dr-ink:#1b1f24;--dr-soft:#5a6370;--dr-grid:#e4e7eb;--dr-axis:#8a93a0;--dr-fill:#b9d4e6;"
    "--dr-c1:#0072b2;--dr-c2:#d55e00;--dr-c3:#009e73;--dr-c4:#b5588c;--dr-c5:#1b1f24;--dr-c6:#b87f00;--dr-c7:#2f8cc4"
)
_DARK = (
    "--dr-paper:#16191d;--dr-ink:#eceff3;--dr-soft:#a4adb9;--dr-grid:#2b3037;--dr-axis:#6b7480;--dr-fill:#2b5570;"
    "--dr-c1:#56b4e9;--dr-c2:#f08a3c;--dr-c3:#2cc295;--dr-c4:#cc79a7;--dr-c5:#eceff3;--dr-c6:#e69f00;--dr-c7:#3f9fdb"
)
# Okabe and Ito's colours; the lighter ones are darkened on white and the darker ones lightened on black until lines
# stand out at 3:1. Shape, dash or text always says the same as a colour.
COLOURS = 7

_STYLE = f"""
.dr-plot{{{_LIGHT};color-scheme:light dark;font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;
font-variant-numeric:tabular-nums}}
@media (prefers-color-scheme:dark){{.dr-plot{{{_DARK}}}}}
[data-theme="light"] .dr-plot{{{_LIGHT}}}
[data-theme="dark"] .dr-plot{{{_DARK}}}
.dr-plot text{{fill:var(--dr-soft);font-size:12px}}
.dr-plot .dr-title{{fill:var(--dr-ink);font-size:16px;font-weight:650}}
.dr-plot .dr-head{{fill:var(--dr-ink);font-size:13.5px;font-weight:650}}
.dr-plot .dr-ink{{fill:var(--dr-ink)}}
.dr-plot .dr-small{{font-size:11px}}
.dr-plot .dr-count{{font-size:10px}}
.dr-plot .dr-faint{{font-size:11px;font-style:italic}}
.dr-plot .dr-paper{{fill:var(--dr-paper)}}
.dr-plot .dr-bar{{fill:var(--dr-fill)}}
.dr-plot .dr-grid{{stroke:var(--dr-grid);stroke-width:1}}
.dr-plot .dr-axis{{stroke:var(--dr-axis);stroke-width:1}}
.dr-plot .dr-ideal{{stroke:var(--dr-axis);stroke-width:1.25;stroke-dasharray:2 4}}
.dr-plot .dr-line{{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}}
.dr-plot .dr-mark{{stroke:var(--dr-paper);stroke-width:1.5;stroke-linejoin:round}}
.dr-plot a{{cursor:pointer;outline:none}}
.dr-plot a:is(:hover,:focus-visible) :is(rect,circle,polygon,path){{stroke:var(--dr-ink);stroke-width:2}}
""" + "\n".join(
    f".dr-plot .dr-s{i}{{stroke:var(--dr-c{i})}}\n.dr-plot .dr-f{i}{{fill:var(--dr-c{i})}}"
    for i in range(1, COLOURS + 1)
)


def number(value: float) -> str:
    """A coordinate with at most two decimals."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def clean(text: str) -> str:
    """The text, escaped, without the characters that XML cannot hold."""
    return escape(_NOT_XML.sub("�", text))


def width_of(text: str, size: float) -> float:
    """Estimated width of a text at a font size, in pixels."""
    return sum(size * (1.0 if ord(letter) > 0x2E7F else _EM) for letter in text)


def fit(text: str, width: float, size: float) -> str:
    """The text, cut with an ellipsis where it would be wider than that."""
    flat = " ".join(text.split())
    if width_of(flat, size) <= width:
        return flat
    while flat and width_of(flat + "…", size) > width:
        flat = flat[:-1]
    return flat.rstrip() + "…"


def text(x: float, y: float, words: str, css: str = "", anchor: str = "start", extra: str = "") -> str:
    """Words at a point; ``anchor`` is start, middle or end."""
    kind = f' class="{css}"' if css else ""
    side = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{number(x)}" y="{number(y)}"{kind}{side}{extra}>{clean(words)}</text>'


def heading(title: str, about: str, width: float = 460, css: str = "") -> list[str]:
    """The title of a drawing of that width, and a line about it."""
    room = width - 40
    return [text(20, 30, fit(title, room, 16), "dr-title"), text(20, 51, fit(about, room, 12), css)]


def dash(pattern: str) -> str:
    """For the ``extra`` of a line; solid where the pattern is empty."""
    return f' stroke-dasharray="{pattern}"' if pattern else ""


def level(y: float, left: float, right: float, words: str, css: str = "dr-grid", small: str = "dr-small") -> list[str]:
    """A line across at a height, with words on its left."""
    return [line(left, y, right, y, css), text(left - 8, y + 4, words, small, "end")]


def tick(x: float, bottom: float, words: str) -> list[str]:
    """A mark below the horizontal axis, with words under it."""
    return [line(x, bottom, x, bottom + 4, "dr-axis"), text(x, bottom + 17, words, "dr-small", "middle")]


def upright(x: float, y: float, words: str, css: str = "") -> str:
    """Words centred at a point, read from below."""
    return text(x, y, words, css, "middle", f' transform="rotate(-90 {number(x)} {number(y)})"')


def line(x1: float, y1: float, x2: float, y2: float, css: str) -> str:
    """A straight line."""
    ends = f'x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"'
    return f'<line {ends} class="{css}"/>'


def rect(x: float, y: float, width: float, height: float, css: str, inner: str = "", radius: float = 0) -> str:
    """A rectangle; ``inner`` may hold a ``<title>``."""
    corner = f' rx="{number(radius)}"' if radius else ""
    size = f'width="{number(width)}" height="{number(height)}"'
    return f'<rect x="{number(x)}" y="{number(y)}" {size}{corner} class="{css}">{inner}</rect>'


def circle(x: float, y: float, radius: float, css: str, inner: str = "") -> str:
    """A disc."""
    return f'<circle cx="{number(x)}" cy="{number(y)}" r="{number(radius)}" class="{css}">{inner}</circle>'


def triangle(x: float, y: float, radius: float, css: str, *, up: bool, inner: str = "") -> str:
    """A triangle about as heavy as a disc of that radius, pointing up or down."""
    r, way = radius * 1.3, 1 if up else -1
    points = ((x, y - way * r), (x - r, y + way * 0.75 * r), (x + r, y + way * 0.75 * r))
    path = " ".join(f"{number(a)},{number(b)}" for a, b in points)
    return f'<polygon points="{path}" class="{css}">{inner}</polygon>'


def polyline(points: Iterable[tuple[float, float]], css: str, extra: str = "") -> str:
    """A line through points."""
    path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
    return f'<polyline points="{path}" class="{css}"{extra}/>'


def link(target: str, inner: str, told: str = "") -> str:
    """Elements that lead somewhere in their page, told in words; just the elements without a target."""
    if not target:
        return inner
    label = f' aria-label="{clean(told)}"' if told else ""
    return f'<a href="#{clean(target)}"{label}>{inner}</a>'


def percent(share: float) -> str:
    """A share of 1 in per cent, with one decimal where it has one."""
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def hint(words: str) -> str:
    """What shows when the pointer rests on an element."""
    return f"<title>{clean(words)}</title>"


def document(width: float, height: float, title: str, description: str, body: Iterable[str]) -> str:
    """A whole SVG, ``width`` × ``height`` pixels, that shrinks with its page; named and described for listeners."""
    inside = "\n".join(body)
    key = hashlib.sha256(f"{title}\0{description}\0{inside}".encode("utf-8", "replace")).hexdigest()[:10]
    size = f'width="{number(width)}" height="{number(height)}" viewBox="0 0 {number(width)} {number(height)}"'
    role = "group" if "<a " in inside else "img"  # an image hides what is in it, and links must be reached
    names = f'role="{role}" aria-labelledby="dr-{key}-t dr-{key}-d"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="max-width:100%;height:auto" class="dr-plot" {names}>\n'
        f'<title id="dr-{key}-t">{clean(title)}</title>\n<desc id="dr-{key}-d">{clean(description)}</desc>\n'
        f"<style>{_STYLE}</style>\n{rect(0, 0, width, height, 'dr-paper', radius=10)}\n{inside}\n</svg>\n"
    )
