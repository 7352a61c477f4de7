"""Renders pages and fragments. Everything is escaped, since names, labels and agents' texts are untrusted."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image
from starlette.responses import HTMLResponse

from doubleread.core.attribution import AttributionMap
from doubleread.core.case import MAX_IMAGE_BYTES
from doubleread.core.task import Task
from doubleread.core.verdict import Verdict
from doubleread.core.verdict_wording import headline
from doubleread.panel import Panel
from doubleread.render.glossary_html import explained, glossary_html
from doubleread.render.heat import FRAMES, colours, heat, scale_words
from doubleread.render.html import style_sheet, verdict_html
from doubleread.render.thumbnail import picture_url
from doubleread.sessions.record import MAX_HINT, MAX_NAME, SessionInfo, Waiting
from doubleread.web._view import PageChange, Reading, View
from doubleread.web.limits import MAX_FILES, MAX_UPLOAD

STATIC = {
    "htmx.min.js": "text/javascript",
    "htmx-ext-sse.js": "text/javascript",
    "theme.js": "text/javascript",
    "app.js": "text/javascript",
    "app.css": "text/css",
    "card.css": "text/css",
    "icon.svg": "image/svg+xml",
}


@dataclass(frozen=True)
class PanelFacts:
    """What the pages know about the panel."""

    task: Task
    agents: tuple[str, ...]
    taking_hints: tuple[str, ...] = ()
    """The agents that take hints."""
    warnings: tuple[str, ...] = ()
    """The warnings of the panel."""
    unused: tuple[str, ...] = ()
    """Agents that are not asked for everything, each with the reason."""

    @classmethod
    def of(cls, panel: Panel) -> "PanelFacts":
        """Returns the facts about a panel."""
        notes = tuple(one.note for one in panel.members if one.note)
        return cls(panel.task, panel.agents, panel.taking_hints, panel.warnings, notes)


@dataclass(frozen=True)
class Lists:
    """The lists beside every session: other sessions, and what waits for a person."""

    sessions: Sequence[SessionInfo]
    waiting: Sequence[Waiting]
    mine: frozenset[str] = frozenset()
    """The sessions that the user owns; others are only reviewed."""
    you: str = ""
    """The name recorded with the user's decisions."""
    reviews: bool = False
    """Whether the user sees waiting readings in others' sessions."""
    entered: bool = False
    """Whether the user logged in with a token, and can log out."""


def page(template: str, status: int = 200, headers: Mapping[str, str] | None = None, **shown: Any) -> HTMLResponse:
    """Renders a template."""
    return HTMLResponse(_render(template, **shown), status, headers)


def session_page(about: PanelFacts, lists: Lists, info: SessionInfo, view: View) -> HTMLResponse:
    """Renders a session in its current state; the stream adds later changes."""
    own, id_ = info.id in lists.mine, info.id
    return page("session.html", about=about, lists=lists, here=id_, session=id_, info=info, view=view, own=own)


def error_page(status: int, problem: str, advice: str = "") -> HTMLResponse:
    """Renders a problem and what to do about it."""
    return page("error.html", status, problem=problem, advice=advice)


def notice(status: int, problems: Iterable[str]) -> HTMLResponse:
    """Renders problems as notices on the current page."""
    headers = {"HX-Retarget": "#notices", "HX-Reswap": "beforeend"}
    return page("notices.html", status, headers, problems=tuple(problems))


def changed(about: PanelFacts, session: str, change: PageChange) -> str:
    """Renders a change as fragments that replace or join parts of an open page."""
    return _render("changed.html", about=about, lists=Lists((), ()), session=session, change=change)


def static_file(name: str) -> bytes:
    """Returns a script or style sheet of this package. Raises ``KeyError`` for other names."""
    if name == "card.css":
        return style_sheet().encode()
    if name not in STATIC:
        raise KeyError(name)
    return files("doubleread.web").joinpath("static", name).read_bytes()


def _card(session: str, reading: Reading, verdict: Verdict) -> Markup:
    """Renders the verdict's card with pictures served by this server."""
    evidence = verdict.evidence
    near = {n.case_id for n in (*evidence.neighbours, *evidence.near_copies)} if evidence is not None else set()

    def picture(path: Path | None, case: str, *, side: int) -> str | None:
        where = f"near/{case}" if case in near else f"picture/{reading.case}"
        return None if path is None else f"/s/{session}/{where}?side={side}"

    return Markup(verdict_html(verdict, styled=False, pictures=picture, glossary="/words"))  # noqa: S704 - escaped by its template


def _heat_url(one: AttributionMap, scale: float) -> str:
    """Returns a map as the data URL of a small picture, transparent where there is no effect."""
    return picture_url(heat(one, scale))


@cache
def _scale_url() -> str:
    """Returns the colour scale, from no effect to the largest, as the data URL of a picture one pixel high."""
    return picture_url(Image.fromarray(colours(np.linspace(0, 1, 160)[None])))


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("doubleread.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(heat_url=_heat_url, scale_url=_scale_url, scale_words=scale_words, frames=FRAMES)
    made.globals.update(
        card=_card, asset=_asset, max_files=MAX_FILES, max_upload=MAX_UPLOAD, max_hint=MAX_HINT, max_name=MAX_NAME
    )
    made.globals.update(image_mb=MAX_IMAGE_BYTES // 1_000_000)
    made.globals.update(glossary_html=glossary_html, no_words=set)
    made.filters.update(explained=explained, headline=headline)
    made.filters.update(percent=lambda p: f"{100 * p:.1f}\u00a0%", when=lambda t: t.astimezone().strftime("%H:%M"))
    return made


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _asset(name: str) -> str:
    """Returns a static file's URL, which changes with its contents, so that browsers may cache it."""
    return f"/static/{name}?v={hashlib.sha256(static_file(name)).hexdigest()[:12]}"
