"""The pictures of attribution maps that a document shows."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from doubleread.core.attribution import Attribution
from doubleread.core.errors import ImageError
from doubleread.render.shown_attribution import ShownAttribution
from doubleread.render.thumbnail import picture_url
from doubleread.sessions.export.entries import ExportEntry
from doubleread.sessions.record import Maps, Reply


def maps_name(found: Attribution) -> str:
    """The name of the file that shows it, the same whenever it is written."""
    return f"where-{hashlib.sha256(found.model_dump_json().encode()).hexdigest()[:16]}.png"


def write_maps(told: Iterable[ExportEntry], folder: Path) -> None:
    """Writes the picture of every map that is told of, where the image it is about is there."""
    for entry in told:
        for block in entry.what.blocks if isinstance(entry.what, Reply) else ():
            if isinstance(block, Maps) and (drawn := _drawn(block.found, entry.picture)) is not None:
                drawn.save(folder / maps_name(block.found), optimize=True)


def maps_picture(found: Attribution, picture: Path | None) -> str | None:
    """The same as a data URL; None where the image is not there."""
    drawn = _drawn(found, picture)
    return None if drawn is None else picture_url(drawn)


def _drawn(found: Attribution, picture: Path | None) -> Image.Image | None:
    if picture is None:
        return None
    try:
        return ShownAttribution.of_attribution(found).picture(picture)
    except (ImageError, OSError):
        return None
