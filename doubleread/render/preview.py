"""Small pictures in a terminal, in the best way that it can show them, among text and in tables."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Literal

from PIL import Image
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import ControlType, Segment

from doubleread.core.errors import ImageError
from doubleread.rag.safe_images import open_image
from doubleread.render.graphics import kitty, sixel
from doubleread.render.half_blocks import drawn

How = Literal["kitty", "sixel", "blocks", "none"]


@dataclass(frozen=True)
class Cell:
    """One letter's place on the screen, in pixels."""

    width: int
    height: int


USUAL = Cell(10, 20)


@dataclass(frozen=True)
class Preview:
    """How pictures are shown; with ``none`` nothing is."""

    how: How = "blocks"
    cell: Cell = USUAL

    def file(self, path: Path | None, sha256: str | None, columns: int) -> RenderableType | None:
        """The picture of a file, ``columns`` letters wide or half as many lines high; None where it cannot be shown.

        ``sha256`` is the id of the case that names the file, whose bytes it must hold.
        """
        if path is None or self.how == "none":
            return None
        side = columns if self.how == "blocks" else columns * max(self.cell.width, self.cell.height // 2)
        try:
            return self.draw(open_image(path, max_side=side, sha256=sha256), columns)
        except (ImageError, OSError, ValueError):
            return None

    def draw(self, image: Image.Image, columns: int) -> RenderableType | None:
        """The same of an image that is there."""
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
    """Blank cells that the picture is laid upon, once they are on the screen, so that nothing scrolls under it."""

    def __init__(self, image: Image.Image, how: How, cell: Cell) -> None:
        self._columns, self._rows = ceil(image.width / cell.width), ceil(image.height / cell.height)
        if how == "sixel":
            picture = sixel(image)
        else:
            whole = Image.new("RGBA", (self._columns * cell.width, self._rows * cell.height))
            whole.paste(image)
            picture = kitty(whole, self._columns, self._rows)
        # From the line below the picture: keep the cursor, go up, draw, come back.
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
