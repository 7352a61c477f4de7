"""Small pictures, as files and as data URLs."""

import base64
import io
from pathlib import Path

from PIL import Image

from doubleread.core.errors import ImageError
from doubleread.rag.images import open_image


def small_picture(picture: Path | bytes | None, *, side: int) -> bytes | None:
    """A WebP file with the longer side of at most ``side`` pixels; None where the picture cannot be shown."""
    if picture is None:
        return None
    try:
        image = open_image(picture, max_side=side)
    except (ImageError, OSError, ValueError):  # a source may be any text: too long for a path, say
        return None
    out = io.BytesIO()
    image.save(out, "WEBP", quality=80)
    return out.getvalue()


def picture_url(image: Image.Image) -> str:
    """A picture as it is, transparency too, as a data URL."""
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


def thumbnail(path: Path | None, *, side: int) -> str | None:
    """``small_picture`` as a data URL."""
    data = small_picture(path, side=side)
    return None if data is None else "data:image/webp;base64," + base64.b64encode(data).decode()
