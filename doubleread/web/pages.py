"""The pages and their fragments. Everything is escaped: names, labels and what agents say are hostile until shown."""

import hashlib
from collections.abc import Iterable, Sequence
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

from doubleread.core.attribution import Attribution, AttributionMap
from doubleread.core.task import Task
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.render.heat import FRAMES, colours, heat, scale_words
from doubleread.render.html import style_sheet, verdict_html
from doubleread.render.thumbnail import picture_url
from doubleread.sessions.completion import Completion
from doubleread.sessions.record import MAX_HINT, MAX_NAME, Decided, Event, SessionInfo, Waiting
from doubleread.web.limits import MAX_FILES, MAX_UPLOAD
from doubleread.web.view import Change, Reading, View

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
class About:
    """What the pages know of the panel."""

    task: Task
    agents: tuple[str, ...]
    taking_hints: tuple[str, ...] = ()
    """The agents that can be told something before they read."""

    @classmethod
    def of(cls, panel: Panel) -> "About":
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


def start_page(about: About, lists: Lists) -> HTMLResponse:
    """Where a session begins."""
    return HTMLResponse(_render("start.html", about=about, lists=lists, here=""))


def session_page(about: About, lists: Lists, info: SessionInfo, view: View) -> HTMLResponse:
    """One session, as far as it has come; the stream adds the rest."""
    shown = {"info": info, "session": info.id, "view": view, "own": info.id in lists.mine}
    return HTMLResponse(_render("session.html", about=about, lists=lists, **shown, here=info.id))


def completions_part(found: Sequence[Completion]) -> HTMLResponse:
    """How what is being typed may go on."""
    return HTMLResponse(_render("completions.html", found=found), headers={"Cache-Control": "no-store"})


def waiting_page(about: About, lists: Lists, decisions: Sequence[Event]) -> HTMLResponse:
    """The work list, and what was decided last."""
    decided = [(event, Decided.model_validate(event.data)) for event in decisions]
    return HTMLResponse(_render("waiting.html", about=about, lists=lists, decided=decided, here="waiting"))


def lists_part(lists: Lists, here: str) -> HTMLResponse:
    """The lists beside a session, again."""
    return HTMLResponse(_render("lists.html", lists=lists, here=here))


def where_part(about: About, session: str, found: Attribution) -> HTMLResponse:
    """Where the agents looked, with the labels that it may be asked of."""
    return HTMLResponse(_render("where.html", about=about, session=session, found=found, problem=""))


def where_problem(problem: str, status: int = 200) -> HTMLResponse:
    """Why that cannot be told."""
    return HTMLResponse(_render("where.html", found=None, problem=problem), status)


def where_waits(session: str, case: str, label: str | None, before: int) -> HTMLResponse:
    """That it is worked out, or waits for others; the page asks again."""
    return HTMLResponse(_render("where_waits.html", session=session, case=case, label=label or "", before=before))


def error_page(status: int, problem: str, advice: str = "") -> HTMLResponse:
    """What went wrong and what can be done about it."""
    return HTMLResponse(_render("error.html", problem=problem, advice=advice), status)


def notice(status: int, problems: Iterable[str]) -> HTMLResponse:
    """The same, as a notice on the page that one is on."""
    headers = {"HX-Retarget": "#notices", "HX-Reswap": "beforeend"}
    return HTMLResponse(_render("notices.html", problems=tuple(problems)), status, headers)


def token_page(*, wrong: bool = False) -> HTMLResponse:
    """Asks for the token; a part of a page that asked for something stays as it is."""
    return HTMLResponse(_render("token.html", wrong=wrong), 401, {"HX-Reswap": "none"})


def left_page() -> HTMLResponse:
    """Says that the browser has left."""
    return HTMLResponse(_render("left.html"))


def changed(about: About, session: str, change: Change) -> str:
    """What a change does to an open page, as fragments that replace or join what is there."""
    return _render("changed.html", about=about, lists=Lists((), ()), session=session, change=change)


def static_file(name: str) -> bytes:
    """A script or style sheet of ours; raises ``KeyError`` for another name."""
    if name == "card.css":
        return style_sheet().encode()
    if name not in STATIC:
        raise KeyError(name)
    return files("doubleread.web").joinpath("static", name).read_bytes()


def card(session: str, reading: Reading, verdict: Verdict) -> Markup:
    """The verdict's card, its pictures served by us."""
    evidence = verdict.evidence
    near = {n.case_id for n in (*evidence.neighbours, *evidence.near_copies)} if evidence is not None else set()

    def picture(path: Path | None, case: str, *, side: int) -> str | None:
        where = f"near/{case}" if case in near else f"picture/{reading.case}"
        return None if path is None else f"/s/{session}/{where}?side={side}"

    return Markup(verdict_html(verdict, styled=False, pictures=picture))  # noqa: S704 - escaped by its template


def heat_url(one: AttributionMap, scale: float) -> str:
    """A map's colours, transparent where it has no effect, as the address of a small picture."""
    return picture_url(heat(one, scale))


@cache
def scale_url() -> str:
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
    made.globals.update(heat_url=heat_url, scale_url=scale_url, scale_words=scale_words, frames=FRAMES)
    made.globals.update(
        card=card, asset=_asset, max_files=MAX_FILES, max_upload=MAX_UPLOAD, max_hint=MAX_HINT, max_name=MAX_NAME
    )
    made.filters.update(percent=lambda p: f"{100 * p:.1f}\u00a0%", when=lambda t: t.astimezone().strftime("%H:%M"))
    return made


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _asset(name: str) -> str:
    """Address of a static file; another one when the file changes, so that browsers may keep it."""
    return f"/static/{name}?v={hashlib.sha256(static_file(name)).hexdigest()[:12]}"
