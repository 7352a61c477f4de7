"""The verdict card as HTML: for notebooks and pages. Everything is escaped; nothing is fetched."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined

from doubleread.core import verdict_wording
from doubleread.core.evidence import Neighbour
from doubleread.core.verdict import Unread, Verdict
from doubleread.render.thumbnail import case_thumbnail


class Pictures(Protocol):
    """Where a card gets its pictures from: ``case_thumbnail``, or a page that holds each picture once."""

    def __call__(self, path: Path | None, case: str, *, side: int) -> str | None:
        """Address of a case's picture with the longer side of ``side`` pixels; None where it cannot be shown.

        ``case`` is its id.
        """
        ...


def verdict_html(verdict: Verdict, *, styled: bool = True, pictures: Pictures = case_thumbnail) -> str:
    """One card; ``styled`` puts the style sheet in front, which a page of many cards needs only once."""
    last = {o.agent: o for o in sorted(verdict.opinions, key=lambda o: o.round)}
    card = (
        environment()
        .get_template("card.html")
        .render(
            v=verdict,
            words=verdict_wording,
            name=Path(verdict.case.source).name or verdict.case.id[:12],
            image=pictures(verdict.case.path, verdict.case.id, side=220),
            posterior=sorted(verdict.posterior.items(), key=lambda item: -item[1]),
            opinions=list(last.values()),
            abstentions=list({a.agent: a for a in verdict.abstentions if a.agent not in last}.values()),
            before=verdict.second_look.before if verdict.second_look else {},
            changes={c.agent: c for c in verdict.second_look.changes} if verdict.second_look else {},
            neighbours=_pictured(verdict.evidence.neighbours[:6] if verdict.evidence else (), pictures),
            copies=_pictured(verdict.evidence.near_copies[:6] if verdict.evidence else (), pictures),
        )
    )
    return f"<style>{style_sheet()}</style>{card}" if styled else card


def unread_html(unread: Unread) -> str:
    """The card of a case that could not be read, without a style sheet."""
    return environment().get_template("unread.html").render(unread=unread, name=Path(unread.source).name)


def _pictured(cases: tuple[Neighbour, ...], pictures: Pictures) -> list[tuple[Neighbour, str | None]]:
    return [(case, pictures(case.path, case.case_id, side=192)) for case in cases]


@cache
def style_sheet() -> str:
    """The cards' style sheet."""
    return files("doubleread.render").joinpath("card.css").read_text(encoding="utf-8")


@cache
def environment(package: str = "doubleread.render") -> Environment:
    """Templates of a package: everything is escaped, and a name that is missing is an error."""
    return Environment(
        loader=PackageLoader(package, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
