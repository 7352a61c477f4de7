"""An attribution that shows itself: as text, as a picture in a notebook, and as overlays."""

import io
import sys
from pathlib import Path
from typing import Self

from PIL import Image

from doubleread.core.attribution import Attribution
from doubleread.core.errors import ImageError, UnknownPart
from doubleread.core.terminal_text import legible
from doubleread.rag.safe_images import open_image
from doubleread.render.heat import overlay, sheet

SIDE = 1024


class ShownAttribution(Attribution):
    """An ``Attribution`` with ``print``, notebook output and pictures.

    Pictures are drawn over ``image``, or over the case's file where none is given; they raise ``ImageError`` where
    that cannot be opened.
    """

    @classmethod
    def of_attribution(cls, found: Attribution) -> Self:
        """The same, able to show itself."""
        return cls.model_validate(found, from_attributes=True)

    def overlay(self, agent: str, image: Path | Image.Image | None = None) -> Image.Image:
        """The image under one agent's heat, RGB. Raises ``UnknownPart`` for an agent without a map."""
        one = self.of(agent)
        if one is None:
            raise UnknownPart("agent with a map", agent, (known.agent for known in self.maps))
        return overlay(self._pixels(image), one, self.scale)

    def picture(self, image: Path | Image.Image | None = None) -> Image.Image:
        """The image, every agent's overlay with its numbers, and the legend, in one RGB picture."""
        return sheet(self._pixels(image), self, Path(self.case.source).name or self.case.id[:12])

    def _pixels(self, image: Path | Image.Image | None) -> Image.Image:
        if isinstance(image, Image.Image):
            return image.convert("RGB")
        if image is not None:
            return open_image(image, max_side=SIDE)
        if self.case.path is None:
            raise ImageError("missing", f"case {self.case.id[:12]} has no file to draw on: pass its image")
        return open_image(self.case.path, max_side=SIDE, sha256=self.case.id)

    def __str__(self) -> str:
        return legible("\n".join(self.lines), getattr(sys.stdout, "encoding", None))

    def _repr_png_(self) -> bytes | None:
        try:
            picture = self.picture()
        except ImageError:
            return None  # the notebook falls back on the text
        out = io.BytesIO()
        picture.save(out, "PNG")
        return out.getvalue()
