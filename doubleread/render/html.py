"""The verdict card as HTML: for notebooks and pages. Everything is escaped; nothing is fetched."""

from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from doubleread.core.verdict import Verdict
from doubleread.render.thumbnail import thumbnail


def verdict_html(verdict: Verdict, *, styled: bool = True) -> str:
    """One card; ``styled`` puts the style sheet in front, which a page of many cards needs only once."""
    last = {o.agent: o for o in sorted(verdict.opinions, key=lambda o: o.round)}
    card = (
        environment()
        .get_template("card.html")
        .render(
            v=verdict,
            name=Path(verdict.case.source).name or verdict.case.id[:12],
            image=thumbnail(verdict.case.path, side=220),
            posterior=sorted(verdict.posterior.items(), key=lambda item: -item[1]),
            opinions=list(last.values()),
            abstentions=list({a.agent: a for a in verdict.abstentions if a.agent not in last}.values()),
            before=verdict.second_look.before if verdict.second_look else {},
            changes={c.agent: c for c in verdict.second_look.changes} if verdict.second_look else {},
            neighbours=[
                (n, thumbnail(n.path, side=192)) for n in (verdict.evidence.neighbours[:6] if verdict.evidence else ())
            ],
        )
    )
    return f"<style>{style_sheet()}</style>{card}" if styled else card


@cache
def style_sheet() -> str:
    """The cards' style sheet."""
    return files("doubleread.render").joinpath("card.css").read_text(encoding="utf-8")


@cache
def environment() -> Environment:
    """Templates of this package: everything is escaped, and a name that is missing is an error."""
    return Environment(
        loader=PackageLoader("doubleread.render", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
