"""Small pictures in a terminal: each letter shows two pixels, one above the other."""

from pathlib import Path

import numpy as np
from PIL import Image
from rich.color import Color
from rich.style import Style
from rich.text import Text

from doubleread.core.errors import ImageError
from doubleread.rag.safe_images import open_image

_UPPER_HALF = "▀"


def half_blocks(path: Path | None, sha256: str | None, *, columns: int) -> Text | None:
    """The picture, its longer side ``columns`` letters wide or half as many lines high; None where the file cannot be
    shown. ``sha256`` is the id of the case that names the file. Needs a terminal with 256 colours or more."""
    if path is None:
        return None
    try:
        return drawn(open_image(path, max_side=columns, sha256=sha256))
    except (ImageError, OSError, ValueError):
        return None


def drawn(image: Image.Image) -> Text:
    """A picture as it is, each of its pixels half a letter."""
    pixels = np.asarray(image).tolist()
    text = Text(no_wrap=True)
    for y in range(0, image.height - 1, 2):
        for x in range(image.width):
            above, below = (Color.from_rgb(*pixels[y + i][x]) for i in (0, 1))
            text.append(_UPPER_HALF, Style(color=above, bgcolor=below))
        text.append("\n")
    return text
