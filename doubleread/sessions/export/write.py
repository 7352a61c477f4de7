"""Writes a session's document and copies its pictures beside it."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from doubleread.core.errors import SessionError
from doubleread.core.verdict import Verdict
from doubleread.sessions.export.entries import Entry, entries
from doubleread.sessions.export.maps import write_maps
from doubleread.sessions.export.markdown import markdown
from doubleread.sessions.export.page import page
from doubleread.sessions.record import Event, SessionInfo

Format = Literal["markdown", "html"]
_FORMATS = {"markdown": (".md", markdown), "html": (".html", page)}


def write(
    info: SessionInfo, events: Sequence[Event], pictures: Mapping[str, Path], format: Format, folder: Path
) -> Path:
    """The document in ``folder``, which is made where it is not there; an older one of the same session is replaced.

    ``pictures`` are the session's, by case id. Raises ``SessionError`` where the folder cannot be written.
    """
    suffix, made = _FORMATS[format]
    document, beside = folder / f"session-{info.id}{suffix}", folder / f"session-{info.id}"
    try:
        beside.mkdir(parents=True, exist_ok=True)
        for picture in pictures.values():
            shutil.copyfile(picture, beside / picture.name)
        told = [_placed(entry) for entry in entries(events, pictures)]
        if format == "markdown":
            write_maps(told, beside)
        document.write_text(made(info, told, beside.name), encoding="utf-8")
    except OSError as error:
        raise SessionError(f"the session cannot be written to {folder} ({error}): name another folder") from None
    return document


def _placed(entry: Entry) -> Entry:
    """A verdict shows the picture where it lies now."""
    if not isinstance(entry.what, Verdict):
        return entry
    case = entry.what.case.model_copy(update={"path": entry.picture})
    return replace(entry, what=entry.what.model_copy(update={"case": case}))
