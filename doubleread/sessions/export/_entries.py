"""The entries of an exported session: the events worth keeping."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL.Image import Image as Picture

from doubleread.core.attribution import Attribution
from doubleread.core.errors import ImageError
from doubleread.core.verdict import Verdict
from doubleread.render.shown import ShownAttribution
from doubleread.render.thumbnail import picture_url
from doubleread.sessions.record import Decided, Event, Failed, Image, Maps, Reply, Said, Undone
from doubleread.sessions.standing import name_of

What = Image | Verdict | Decided | Said | Reply | Undone | Failed
_TOLD = ("image", "verdict", "decided", "said", "reply", "undone", "failed")


@dataclass(frozen=True)
class ExportEntry:
    """One event of the document; ``name`` and ``picture`` are those of its image, if it has one."""

    what: What
    time: str
    case: str
    """The id of its image; empty without one."""
    name: str
    picture: Path | None
    undone: bool
    """Whether it was undone."""


def entries(events: Sequence[Event], pictures: Mapping[str, Path]) -> Iterator[ExportEntry]:
    """Yields the entries of a session; ``pictures`` are its files by case id."""
    undone = {event.data["seq"] for event in events if event.kind == "undone"}
    for event in events:
        if event.kind in _TOLD:
            case = event.case or ""
            yield ExportEntry(
                what=event.what,
                time=f"{event.time:%Y-%m-%d %H:%M:%S} UTC",
                case=case,
                name=name_of(events, case) if case else "",
                picture=pictures.get(case),
                undone=event.seq in undone,
            )


# -- attribution maps ------------------------------------------------------------------------------------------------


def maps_name(found: Attribution) -> str:
    """Returns the file name of an attribution map, which depends only on its contents."""
    return f"where-{hashlib.sha256(found.model_dump_json().encode()).hexdigest()[:16]}.png"


def write_maps(told: Iterable[ExportEntry], folder: Path) -> None:
    """Writes the picture of every attribution map whose image is available."""
    for entry in told:
        for block in entry.what.blocks if isinstance(entry.what, Reply) else ():
            if isinstance(block, Maps) and (drawn := _drawn(block.found, entry.picture)) is not None:
                drawn.save(folder / maps_name(block.found), optimize=True)


def maps_picture(found: Attribution, picture: Path | None) -> str | None:
    """Returns the map as a data URL; None if the image is missing."""
    drawn = _drawn(found, picture)
    return None if drawn is None else picture_url(drawn)


def _drawn(found: Attribution, picture: Path | None) -> Picture | None:
    if picture is None:
        return None
    try:
        return ShownAttribution.of_attribution(found).picture(picture)
    except (ImageError, OSError):
        return None
