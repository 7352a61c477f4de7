"""Verdicts and attributions that display themselves: text in a terminal, a card or picture in a notebook."""

import io
import sys
from pathlib import Path
from typing import Self

from PIL import Image
from rich.console import Console, RenderableType

from doubleread.core.attribution import Attribution
from doubleread.core.errors import ImageError, UnknownPart
from doubleread.core.terminal_text import legible
from doubleread.core.verdict import Verdict
from doubleread.rag.images.safe_images import open_image
from doubleread.render.heat import overlay, sheet
from doubleread.render.html import verdict_html
from doubleread.render.terminal_card import verdict_card, verdict_details

PLAIN_WIDTH = 100
SIDE = 1024


class ShownVerdict(Verdict):
    """A ``Verdict`` with ``print``, rich and notebook output."""

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        return cls.model_validate(verdict, from_attributes=True)

    def __str__(self) -> str:
        return _plain(verdict_card(self))

    @property
    def details(self) -> str:
        """What ``print(verdict)`` leaves out: each agent's figures, the prediction set, similarities, reasons, cost."""
        return _plain(verdict_details(self))

    def __rich__(self) -> RenderableType:
        return verdict_card(self)

    def _repr_html_(self) -> str:
        return verdict_html(self)


def _plain(shown: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=PLAIN_WIDTH, color_system=None, legacy_windows=False).print(shown)
    return legible(out.getvalue().rstrip(), getattr(sys.stdout, "encoding", None))


class ShownAttribution(Attribution):
    """An ``Attribution`` with ``print``, notebook output and pictures.

    Pictures are drawn over ``image``, or over the case's file if none is given, and raise ``ImageError`` if that cannot
    be opened.
    """

    @classmethod
    def of_attribution(cls, found: Attribution) -> Self:
        """Converts an attribution to one that displays itself."""
        return cls.model_validate(found, from_attributes=True)

    def overlay(self, agent: str, image: Path | Image.Image | None = None) -> Image.Image:
        """Returns the image with one agent's map over it, RGB. Raises ``UnknownPart`` for an agent without a map."""
        one = self.of(agent)
        if one is None:
            raise UnknownPart("agent with a map", agent, (known.agent for known in self.maps))
        return overlay(self._pixels(image), one, self.scale)

    def picture(self, image: Path | Image.Image | None = None) -> Image.Image:
        """Returns one RGB picture with the image, every agent's overlay and numbers, and the legend."""
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
            return None  # the notebook shows the text
        out = io.BytesIO()
        picture.save(out, "PNG")
        return out.getvalue()
