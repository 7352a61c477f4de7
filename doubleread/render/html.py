"""Verdict cards and search results as HTML. Everything is escaped; no external resource is loaded."""

from functools import cache
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from doubleread.core import verdict_wording
from doubleread.core.evidence import Neighbour
from doubleread.core.verdict import Unread, Verdict
from doubleread.render.glossary_html import explained, glossary_html, with_meanings
from doubleread.render.terminal_card import BARS
from doubleread.render.thumbnail import case_thumbnail, thumbnail

if TYPE_CHECKING:
    from doubleread.rag.case_search import SimilarCases

_SIDE = 360
"""Longer side of a picture in pixels, twice its size on the page, for high-resolution screens."""


_SHOTS = 24
"""Most pictures of a subject on its card."""


class PictureSource(Protocol):
    """Provides the pictures of a card: ``case_thumbnail``, or a page that contains each picture once."""

    def __call__(self, path: Path | None, case: str, *, side: int) -> str | None:
        """Returns the URL of a picture of the case, its longer side ``side`` pixels, or None. ``case`` is its id."""
        ...


def verdict_html(
    verdict: Verdict, *, styled: bool = True, pictures: PictureSource = case_thumbnail, glossary: str | None = None
) -> str:
    """Returns a card: the verdict, how sure it is, why and what to do; everything else is in its details.

    ``styled`` prepends the style sheet, which a page of many cards needs only once. ``glossary`` is the address of a
    page with ``glossary_html``, empty for the page of the card; without it the card brings its words' meanings along.
    """
    look, known = verdict.second_look, glossary is not None
    texts, seen = list[str](), set[str]()

    def mark(text: str) -> Markup:
        texts.append(text)
        return explained(text, str(glossary), seen) if known else with_meanings(text, seen)

    card = _rendered(
        "card.html",
        v=verdict,
        words=verdict_wording,
        mark=mark,
        meanings=lambda: Markup("") if known else glossary_html(texts, anchors=False),
        shown_bars=BARS,
        name=verdict_wording.title(verdict),
        shots=[(shot, pictures(shot.case.path, shot.case.id, side=192)) for shot in verdict.shots[:_SHOTS]]
        if verdict.images > 1
        else [],
        image=pictures(verdict.case.path, verdict.case.id, side=220),
        posterior=sorted(verdict.posterior.items(), key=lambda item: -item[1]),
        opinions=list(verdict.last_opinions.values()),
        abstentions=verdict.silent,
        before=look.before if look else {},
        changes={c.agent: c for c in look.changes} if look else {},
        helped=_helped(verdict),
        neighbours=_pictured(verdict.evidence.neighbours[:6] if verdict.evidence else (), pictures),
        copies=_pictured(verdict.evidence.near_copies[:6] if verdict.evidence else (), pictures),
    )
    return f"<style>{style_sheet()}</style>{card}" if styled else card


def _helped(verdict: Verdict) -> str:
    """Whether the second look made the verdict right or wrong, if the true label is known."""
    before, truth = verdict.second_look.before if verdict.second_look else {}, verdict.case.label
    led = max(before, key=lambda label: before[label]) if before else verdict.label
    if truth is None or led == verdict.label or truth not in (led, verdict.label):
        return ""
    return "The second look made the verdict right." if truth == verdict.label else "It made a right verdict wrong."


def unread_html(unread: Unread) -> str:
    """Returns the card of a case that could not be read, without a style sheet."""
    return _rendered("unread.html", unread=unread, name=Path(unread.source).name)


def _rendered(template: str, **values: object) -> str:
    return environment().get_template(template).render(**values)


def _pictured(cases: tuple[Neighbour, ...], pictures: PictureSource) -> list[tuple[Neighbour, str | None]]:
    return [(case, pictures(case.path, case.case_id, side=192)) for case in cases]


@cache
def style_sheet() -> str:
    """Returns the cards' style sheet."""
    return files("doubleread.render").joinpath("card.css").read_text(encoding="utf-8")


@cache
def environment(package: str = "doubleread.render") -> Environment:
    """Returns the template environment of a package: everything is escaped, and undefined names are errors.

    ``{{ text|explained }}`` links glossary words to ``{{ glossary_html() }}``, the section of their meanings.
    """
    made = Environment(
        loader=PackageLoader(package, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["explained"] = explained
    made.filters["with_meanings"] = with_meanings
    made.globals["glossary_html"] = glossary_html
    return made


def found_page(found: "SimilarCases", line: str, *, picture: Path | None = None, each: bool = False) -> str:
    """Returns a page of found cases with their pictures, if available; ``line`` describes the search.

    ``picture``: the image that was searched for, if any. ``each``: grouped by label.
    """
    shown = [
        (one, Path(one.source).name or one.case_id[:12], case_thumbnail(one.path, one.case_id, side=_SIDE))
        for one in found.neighbours
    ]
    parts = (
        [(label, list(part)) for label, part in groupby(shown, lambda item: item[0].label)] if each else [("", shown)]
    )
    return _rendered(
        "found.html",
        found=found,
        line=line,
        title=f"Cases like {Path(found.query).name}" if picture is not None else f"Cases like “{found.query}”",
        picture=thumbnail(picture, side=_SIDE),
        parts=parts,
        style=Markup(style_sheet()),  # noqa: S704 - our own file
    )
