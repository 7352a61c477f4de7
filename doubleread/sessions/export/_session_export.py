"""Writes a session's document and its pictures, without their metadata unless requested.

An HTML document is self-contained: cards and thumbnails are embedded, nothing is fetched.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from doubleread.core.case import MAX_IMAGE_BYTES
from doubleread.core.errors import FileError, SessionError
from doubleread.core.safe_files import read_bytes
from doubleread.core.verdict import Verdict
from doubleread.render.glossary_html import explained, glossary_html
from doubleread.render.html import style_sheet, verdict_html
from doubleread.render.thumbnail import case_thumbnail, thumbnail
from doubleread.sessions.export._bare import bare
from doubleread.sessions.export._entries import ExportEntry, entries, maps_picture, write_maps
from doubleread.sessions.export._session_markdown import markdown
from doubleread.sessions.record import Event, SessionInfo

BARE = (
    "The pictures are copies without metadata (place, owner, device). A case id is the hash of the original file, "
    "so it is not the hash of the copy."
)
KEPT = "The pictures are copies of the original files, with any metadata (place, owner, device) that is in them."
Format = Literal["markdown", "html"]


def write(
    info: SessionInfo,
    events: Sequence[Event],
    pictures: Mapping[str, Path],
    format: Format,
    folder: Path,
    *,
    metadata: bool = False,
) -> Path:
    """Writes the document to ``folder``, which is created if missing; an earlier export of the session is replaced.

    ``pictures`` are the session's, by case id; with ``metadata`` they are copied unchanged. Raises ``SessionError`` if
    the folder cannot be written.
    """
    suffix, made = (".md", markdown) if format == "markdown" else (".html", _page)
    document, beside = folder / f"session-{info.id}{suffix}", folder / f"session-{info.id}"
    try:
        beside.mkdir(parents=True, exist_ok=True)
        copies = {case: _copied(picture, beside, metadata=metadata) for case, picture in pictures.items()}
        told = [_placed(entry) for entry in entries(events, copies)]
        if format == "markdown":
            write_maps(told, beside)
        note = KEPT if metadata else BARE
        document.write_text(made(info, told, beside.name, note), encoding="utf-8")
    except (OSError, FileError) as error:
        raise SessionError(f"the session cannot be written to {folder} ({error}): name another folder") from None
    return document


def _copied(picture: Path, folder: Path, *, metadata: bool) -> Path:
    data, suffix = read_bytes(picture, limit=MAX_IMAGE_BYTES), picture.suffix
    if not metadata:
        data, suffix = bare(data)
    file = folder / f"{picture.stem}{suffix}"
    file.write_bytes(data)
    return file


def _placed(entry: ExportEntry) -> ExportEntry:
    """Points a verdict at the exported picture."""
    if not isinstance(entry.what, Verdict):
        return entry
    case = entry.what.case.model_copy(update={"path": entry.picture})
    return replace(entry, what=entry.what.model_copy(update={"case": case}))


def _page(info: SessionInfo, told: Iterable[ExportEntry], folder: str, note: str) -> str:
    style = Markup(style_sheet())  # noqa: S704 - a constant of this package
    return _template().render(info=info, told=list(told), folder=folder, note=note, style=style)


def _card(verdict: Verdict) -> Markup:
    return Markup(verdict_html(verdict, styled=False, glossary=""))  # noqa: S704 - the card escapes what it shows


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("doubleread.sessions.export", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["explained"] = explained
    environment.globals.update(glossary_html=glossary_html, no_words=set)
    environment.filters["card"] = _card
    environment.filters["stored"] = lambda case: case_thumbnail(case.path, case.case_id, side=320)
    environment.filters["thumbnail"] = lambda path: thumbnail(path, side=320)
    environment.filters["maps"] = maps_picture
    environment.filters["kind"] = lambda what: "Verdict" if isinstance(what, Verdict) else type(what).__name__
    return environment.get_template("page.html")
