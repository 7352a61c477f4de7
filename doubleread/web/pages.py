"""The pages and their fragments. Everything is escaped: names, labels and what agents say are hostile until shown."""

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
from doubleread.core.task import Task
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.render.heat import FRAMES, colours, heat, scale_words
from doubleread.render.html import style_sheet, verdict_html
from doubleread.render.thumbnail import picture_url
from doubleread.sessions.record import MAX_HINT, MAX_NAME, SessionInfo, Waiting
from doubleread.web._view import PageChange, ReadingView, View
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
    """What the pages know of the panel."""

    task: Task
    agents: tuple[str, ...]
    taking_hints: tuple[str, ...] = ()
    """The agents that can be told something before they read."""

    @classmethod
    def of(cls, panel: Panel) -> "PanelFacts":
        """What a panel's pages say of it."""
        return cls(panel.task, panel.agents, panel.taking_hints)


@dataclass(frozen=True)
class Lists:
    """What stands beside every session: the others, and what waits for a person."""

    sessions: Sequence[SessionInfo]
    waiting: Sequence[Waiting]
    mine: frozenset[str] = frozenset()
    """Those of these sessions that are the user's own; others are only reviewed."""
    you: str = ""
    """Under which name the user decides."""
    reviews: bool = False
    """Whether the user sees what waits in the sessions of others."""
    entered: bool = False
    """Whether the user came with a token, and can log out."""


def page(template: str, status: int = 200, headers: Mapping[str, str] | None = None, **shown: Any) -> HTMLResponse:
    """A page, or a part of one, that shows these values."""
    return HTMLResponse(_render(template, **shown), status, headers)


def session_page(about: PanelFacts, lists: Lists, info: SessionInfo, view: View) -> HTMLResponse:
    """One session, as far as it has come; the stream adds the rest."""
    own, id_ = info.id in lists.mine, info.id
    return page("session.html", about=about, lists=lists, here=id_, session=id_, info=info, view=view, own=own)


def error_page(status: int, problem: str, advice: str = "") -> HTMLResponse:
    """What went wrong and what can be done about it."""
    return page("error.html", status, problem=problem, advice=advice)


def notice(status: int, problems: Iterable[str]) -> HTMLResponse:
    """The same, as a notice on the page that one is on."""
    headers = {"HX-Retarget": "#notices", "HX-Reswap": "beforeend"}
    return page("notices.html", status, headers, problems=tuple(problems))


def changed(about: PanelFacts, session: str, change: PageChange) -> str:
    """What a change does to an open page, as fragments that replace or join what is there."""
    return _render("changed.html", about=about, lists=Lists((), ()), session=session, change=change)


def static_file(name: str) -> bytes:
    """A script or style sheet of ours; raises ``KeyError`` for another name."""
    if name == "card.css":
        return style_sheet().encode()
    if name not in STATIC:
        raise KeyError(name)
    return files("doubleread.web").joinpath("static", name).read_bytes()


def _card(session: str, reading: ReadingView, verdict: Verdict) -> Markup:
    """The verdict's card, its pictures served by us."""
    evidence = verdict.evidence
    near = {n.case_id for n in (*evidence.neighbours, *evidence.near_copies)} if evidence is not None else set()

    def picture(path: Path | None, case: str, *, side: int) -> str | None:
        where = f"near/{case}" if case in near else f"picture/{reading.case}"
        return None if path is None else f"/s/{session}/{where}?side={side}"

    return Markup(verdict_html(verdict, styled=False, pictures=picture))  # noqa: S704 - escaped by its template


def _heat_url(one: AttributionMap, scale: float) -> str:
    """A map's colours, transparent where it has no effect, as the address of a small picture."""
    return picture_url(heat(one, scale))


@cache
def _scale_url() -> str:
    """The scale of colours, from no effect to the most, as the address of a picture a pixel high."""
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
    made.filters.update(percent=lambda p: f"{100 * p:.1f}\u00a0%", when=lambda t: t.astimezone().strftime("%H:%M"))
    return made


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _asset(name: str) -> str:
    """Address of a static file; another one when the file changes, so that browsers may keep it."""
    return f"/static/{name}?v={hashlib.sha256(static_file(name)).hexdigest()[:12]}"
