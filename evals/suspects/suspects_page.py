"""The suspicious labels as one page that needs nothing else. Everything is escaped; nothing is fetched."""

from functools import cache
from pathlib import Path

from markupsafe import Markup

from doubleread.evals.suspects.suspect_search import Example, Suspect, SuspectLabels
from doubleread.render.html import environment, style_sheet
from doubleread.render.thumbnail import case_thumbnail

MOST = 200
"""Suspects on a page; with more it is too large to open. The table lists all."""
_SIDE, _EXAMPLE_SIDE = 320, 160


def suspects_page(found: SuspectLabels, *, table: str) -> str:
    """The first 200 suspects beside their nearest cases; ``table`` names the file that decisions go into."""

    @cache
    def small(path: Path | None, case: str) -> str | None:
        return case_thumbnail(path, case, side=_EXAMPLE_SIDE)

    def pictured(examples: tuple[Example, ...]) -> list[tuple[str, str | None]]:
        return [(one.source, small(one.path, one.id)) for one in examples]

    def sides(one: Suspect) -> list[tuple[str, list[tuple[str, str | None]], str]]:
        return [
            (one.suggested, pictured(one.like_suggested), "s-other"),
            (one.label, pictured(one.like_label), "s-given"),
        ]

    shown = [(one, case_thumbnail(one.path, one.id, side=_SIDE), sides(one)) for one in found.suspects[:MOST]]
    style = Markup(style_sheet())  # noqa: S704 - our own file
    template = environment("doubleread.evals.suspects").get_template("page.html")
    return template.render(found=found, shown=shown, table=table, percent=percent, style=style, seen=set[str]())


def percent(share: float) -> str:
    """A probability for people: no more digits than they need, and never exactly 0 or 100 %."""
    if share < 0.001:
        return "below 0.1 %"
    return f"{100 * share:.1f} %" if share < 0.1 else f"{100 * share:.0f} %"
