"""Small pictures in a terminal, among text and in tables, in the best format that it supports.

Formats: Kitty's graphics protocol (https://sw.kovidgoyal.net/kitty/graphics-protocol/), sixels
(https://vt100.net/docs/vt3xx-gp/chapter14.html), or two pixels a character. The terminal is never queried.
"""

import base64
import io
import re
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import ControlType, Segment
from rich.style import Style
from rich.text import Text

from doubleread.core.errors import ImageError
from doubleread.rag.images.image_policy import shown_policy
from doubleread.rag.images.safe_images import open_image

CHUNK = 4096
"""Characters of a picture in one kitty command."""
COLOURS = 256
_RUN = re.compile(rb"(.)\1{3,}", re.DOTALL)
_UPPER_HALF = "▀"
How = Literal["kitty", "sixel", "blocks", "none"]


def kitty(image: Image.Image, columns: int, rows: int) -> str:
    """Returns the picture over ``columns`` × ``rows`` cells from the cursor, which stays; suppresses any reply."""
    file = io.BytesIO()
    image.save(file, "PNG")
    data = base64.standard_b64encode(file.getvalue()).decode("ascii")
    pieces = [data[i : i + CHUNK] for i in range(0, len(data), CHUNK)]
    told = [f"a=T,f=100,q=2,C=1,c={columns},r={rows},", *[""] * (len(pieces) - 1)]
    more = [1] * (len(pieces) - 1) + [0]
    return "".join(f"\x1b_G{head}m={m};{piece}\x1b\\" for head, m, piece in zip(told, more, pieces, strict=True))


def sixel(image: Image.Image) -> str:
    """Returns the picture in at most 256 colours from the cursor on, one terminal pixel for each of its pixels."""
    few = image.convert("RGB").quantize(COLOURS)
    palette = np.asarray(few.getpalette(), dtype=np.int64).reshape(-1, 3)
    pixels = np.asarray(few)
    used = np.unique(pixels)
    registers = "".join("#{};2;{};{};{}".format(c, *((palette[c] * 100 + 127) // 255)) for c in used)
    bands = (pixels[top : top + 6] for top in range(0, len(pixels), 6))
    body = "-".join("$".join(_colour(band, c) for c in np.unique(band)) for band in bands)
    return f'\x1bP0;1;0q"1;1;{image.width};{image.height}{registers}{body}\x1b\\'


def _colour(band: np.ndarray, colour: int) -> str:
    """Encodes one colour in six rows of pixels: a character for each column, run-length encoded."""
    bits = (band == colour).astype(np.uint8) << np.arange(len(band), dtype=np.uint8)[:, None]
    row = (63 + bits.sum(axis=0, dtype=np.uint8)).tobytes().rstrip(b"?")
    return f"#{colour}" + _RUN.sub(lambda run: b"!%d%b" % (len(run[0]), run[1]), row).decode("ascii")


def drawn(image: Image.Image) -> Text:
    """Returns a picture at its own size, with half a character for each pixel."""
    pixels = np.asarray(image).tolist()
    text = Text(no_wrap=True)
    for y in range(0, image.height - 1, 2):
        for x in range(image.width):
            above, below = (Color.from_rgb(*pixels[y + i][x]) for i in (0, 1))
            text.append(_UPPER_HALF, Style(color=above, bgcolor=below))
        text.append("\n")
    return text


@dataclass(frozen=True)
class CellSize:
    """Size of a character cell in pixels."""

    width: int
    height: int


USUAL = CellSize(10, 20)


@dataclass(frozen=True)
class Preview:
    """How pictures are shown; ``none`` shows nothing."""

    how: How = "blocks"
    cell: CellSize = USUAL

    def file(self, path: Path | None, sha256: str | None, columns: int) -> RenderableType | None:
        """Returns the picture of a file, ``columns`` wide or half as many lines high; None if it cannot be shown.

        ``sha256`` is the id of the case; the file must still hold these bytes.
        """
        if path is None or self.how == "none":
            return None
        side = columns if self.how == "blocks" else columns * max(self.cell.width, self.cell.height // 2)
        try:
            return self.draw(open_image(path, policy=shown_policy(), max_side=side, sha256=sha256), columns)
        except (ImageError, OSError, ValueError):
            return None

    def draw(self, image: Image.Image, columns: int) -> RenderableType | None:
        """Like ``file``, for an opened image."""
        if self.how == "none":
            return None
        if self.how == "blocks":
            small = image.convert("RGB")
            small.thumbnail((columns, columns))
            return drawn(small)
        box = columns * self.cell.width, columns * self.cell.height // 2
        scale = min(box[0] / image.width, box[1] / image.height)
        size = (max(1, int(image.width * scale)), max(1, int(image.height * scale)))
        return _Graphic(image.convert("RGB").resize(size, Image.Resampling.LANCZOS), self.how, self.cell)


class _Graphic:
    """Writes blank cells first and then draws the picture over them, so that nothing scrolls under it."""

    def __init__(self, image: Image.Image, how: How, cell: CellSize) -> None:
        self._columns, self._rows = ceil(image.width / cell.width), ceil(image.height / cell.height)
        if how == "sixel":
            picture = sixel(image)
        else:
            whole = Image.new("RGBA", (self._columns * cell.width, self._rows * cell.height))
            whole.paste(image)
            picture = kitty(whole, self._columns, self._rows)
        # From the line below the picture: save the cursor, go up, draw, restore the cursor.
        self._escape = f"\x1b7\x1b[{self._rows}A{picture}\x1b8"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        blank = Segment(" " * self._columns)
        for _ in range(self._rows):
            yield blank
            yield Segment.line()
        yield Segment(self._escape, None, [(ControlType.CURSOR_UP, self._rows)])
        yield blank
        yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(self._columns, self._columns)
