"""Small pictures as data URLs."""

import base64
import io
from pathlib import Path

from doubleread.core.errors import ImageError
from doubleread.rag.images import open_image


def thumbnail(path: Path | None, *, side: int) -> str | None:
    """A WebP data URL with the longer side of ``side`` pixels; None where the file cannot be shown."""
    if path is None:
        return None
    try:
        image = open_image(path, max_side=side)
    except (ImageError, OSError, ValueError):  # a source may be any text: too long for a path, say
        return None
    out = io.BytesIO()
    image.save(out, "WEBP", quality=80)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()
