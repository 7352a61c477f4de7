"""The pages and their fragments. Everything is escaped: names, labels and what agents say are hostile until shown."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from doubleread.core.task import Task
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.render.html import style_sheet, verdict_html
from doubleread.sessions.commands import Completion
from doubleread.sessions.record import SessionInfo, Waiting
from doubleread.web.view import Change, Reading, View

MAX_FILES = 20
"""Images in one upload."""
MAX_UPLOAD = 200_000_000
"""Bytes of one upload; each image is held to its own limit besides."""
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

    @classmethod
    def of(cls, panel: Panel) -> "About":
        """What a panel's pages say of it."""
        return cls(panel.task, panel.agents)


@dataclass(frozen=True)
class Lists:
    """What stands beside every session: the others, and what waits for a person."""

    sessions: Sequence[SessionInfo]
    waiting: Sequence[Waiting]


def start_page(about: About, lists: Lists) -> HTMLResponse:
    """Where a session begins."""
    return HTMLResponse(_render("start.html", about=about, lists=lists, here=""))


def session_page(about: About, lists: Lists, info: SessionInfo, view: View) -> HTMLResponse:
    """One session, as far as it has come; the stream adds the rest."""
    return HTMLResponse(
        _render("session.html", about=about, lists=lists, info=info, session=info.id, view=view, here=info.id)
    )


def completions_part(found: Sequence[Completion]) -> HTMLResponse:
    """How what is being typed may go on."""
    return HTMLResponse(_render("completions.html", found=found), headers={"Cache-Control": "no-store"})


def waiting_page(about: About, lists: Lists) -> HTMLResponse:
    """The work list."""
    return HTMLResponse(_render("waiting.html", about=about, lists=lists, here="waiting"))


def lists_part(lists: Lists, here: str) -> HTMLResponse:
    """The lists beside a session, again."""
    return HTMLResponse(_render("lists.html", lists=lists, here=here))


def error_page(status: int, problem: str, advice: str = "") -> HTMLResponse:
    """What went wrong and what can be done about it."""
    return HTMLResponse(_render("error.html", problem=problem, advice=advice), status)


def notice(status: int, problems: Iterable[str]) -> HTMLResponse:
    """The same, as a notice on the page that one is on."""
    headers = {"HX-Retarget": "#notices", "HX-Reswap": "beforeend"}
    return HTMLResponse(_render("notices.html", problems=tuple(problems)), status, headers)


def token_page(*, wrong: bool) -> HTMLResponse:
    """Asks for the token."""
    return HTMLResponse(_render("token.html", wrong=wrong), 401)


def changed(about: About, session: str, change: Change) -> str:
    """What a change does to an open page, as fragments that replace or join what is there."""
    return _render("changed.html", about=about, session=session, change=change)


def static_file(name: str) -> bytes:
    """A script or style sheet of ours; raises ``KeyError`` for another name."""
    if name == "card.css":
        return style_sheet().encode()
    if name not in STATIC:
        raise KeyError(name)
    return files("doubleread.web").joinpath("static", name).read_bytes()


def card(session: str, reading: Reading, verdict: Verdict) -> Markup:
    """The verdict's card, its pictures served by us."""
    own = f"/s/{session}/picture/{reading.case}"
    near: dict[Path, str] = {}
    if verdict.evidence is not None:
        for n in (*verdict.evidence.neighbours, *verdict.evidence.near_copies):
            if n.path is not None:
                near[n.path] = f"/s/{session}/near/{n.case_id}"

    def picture(path: Path | None, *, side: int) -> str | None:
        address = near.get(path, own) if path is not None else None
        return address and f"{address}?side={side}"

    return Markup(verdict_html(verdict, styled=False, pictures=picture))  # noqa: S704 - escaped by its template


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("doubleread.web", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(card=card, asset=_asset, max_files=MAX_FILES, max_upload=MAX_UPLOAD)
    made.filters.update(percent=lambda p: f"{100 * p:.1f}\u00a0%", when=lambda t: t.astimezone().strftime("%H:%M"))
    return made


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _asset(name: str) -> str:
    """Address of a static file; another one when the file changes, so that browsers may keep it."""
    return f"/static/{name}?v={hashlib.sha256(static_file(name)).hexdigest()[:12]}"
