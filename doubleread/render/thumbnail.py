"""Thumbnails, as files and as data URLs."""

import base64
import io
from pathlib import Path

from PIL import Image

from doubleread.core.case import MAX_IMAGE_BYTES, Case
from doubleread.core.errors import FileError, ImageError
from doubleread.core.safe_files import read_bytes
from doubleread.rag.images.image_policy import shown_policy
from doubleread.rag.images.safe_images import open_image


def small_picture(picture: Path | bytes | None, *, side: int) -> bytes | None:
    """Returns a WebP file with a longer side of at most ``side`` pixels; None if the picture cannot be shown."""
    if picture is None:
        return None
    try:
        image = open_image(picture, policy=shown_policy(), max_side=side)
    except (ImageError, OSError, ValueError):  # a source may be any text, such as one too long for a path
        return None
    out = io.BytesIO()
    image.save(out, "WEBP", quality=80)
    return out.getvalue()


def case_picture(path: Path | None, case: str, *, side: int) -> bytes | None:
    """Like ``small_picture`` for a stored case; None if the file does not match its id: paths are not trusted."""
    if path is None:
        return None
    try:
        data = read_bytes(path, limit=MAX_IMAGE_BYTES)
    except FileError:
        return None
    return small_picture(data, side=side) if Case.from_bytes(data).id == case else None


def picture_url(image: Image.Image) -> str:
    """Returns an unscaled picture, with its transparency, as a data URL."""
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def thumbnail(path: Path | None, *, side: int) -> str | None:
    """Returns ``small_picture`` as a data URL."""
    return _url(small_picture(path, side=side))


def case_thumbnail(path: Path | None, case: str, *, side: int) -> str | None:
    """Returns ``case_picture`` as a data URL."""
    return _url(case_picture(path, case, side=side))


def _url(data: bytes | None) -> str | None:
    return None if data is None else "data:image/webp;base64," + base64.b64encode(data).decode()
