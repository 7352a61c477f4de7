"""Writes a session's document and puts its pictures beside it, without their metadata unless it is kept on purpose."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from doubleread.core.errors import FileError, SessionError
from doubleread.core.safe_files import read_bytes
from doubleread.core.verdict import Verdict
from doubleread.rag.safe_images import MAX_BYTES
from doubleread.sessions.export.bare import bare
from doubleread.sessions.export.entries import ExportEntry, entries
from doubleread.sessions.export.map_images import write_maps
from doubleread.sessions.export.session_markdown import markdown
from doubleread.sessions.export.session_page import page
from doubleread.sessions.record import Event, SessionInfo

BARE = (
    "The pictures are copies without metadata (place, owner, device). A case id is the hash of the original file, "
    "so it is not the hash of the copy."
)
KEPT = "The pictures are copies of the original files, with any metadata (place, owner, device) that is in them."
Format = Literal["markdown", "html"]
_FORMATS = {"markdown": (".md", markdown), "html": (".html", page)}


def write(
    info: SessionInfo,
    events: Sequence[Event],
    pictures: Mapping[str, Path],
    format: Format,
    folder: Path,
    *,
    metadata: bool = False,
) -> Path:
    """The document in ``folder``, which is made where it is not there; an older one of the same session is replaced.

    ``pictures`` are the session's, by case id; with ``metadata`` they are copied as they are. Raises ``SessionError``
    where the folder cannot be written.
    """
    suffix, made = _FORMATS[format]
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
    data, suffix = read_bytes(picture, limit=MAX_BYTES), picture.suffix
    if not metadata:
        data, suffix = bare(data)
    file = folder / f"{picture.stem}{suffix}"
    file.write_bytes(data)
    return file


def _placed(entry: ExportEntry) -> ExportEntry:
    """A verdict shows the picture where it lies now."""
    if not isinstance(entry.what, Verdict):
        return entry
    case = entry.what.case.model_copy(update={"path": entry.picture})
    return replace(entry, what=entry.what.model_copy(update={"case": case}))
