"""A verdict that shows itself: as text in a terminal, as a card in a notebook."""

import io
import sys
from typing import Self

from rich.console import Console, RenderableType

from doubleread.core.terminal_text import legible
from doubleread.core.verdict import Verdict
from doubleread.render.html import verdict_html
from doubleread.render.terminal import verdict_card

PLAIN_WIDTH = 100


class ShownVerdict(Verdict):
    """A ``Verdict`` with ``print``, rich and notebook output."""

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """The same verdict, able to show itself."""
        return cls.model_validate(verdict, from_attributes=True)

    def __str__(self) -> str:
        out = io.StringIO()
        Console(file=out, width=PLAIN_WIDTH, color_system=None, legacy_windows=False).print(verdict_card(self))
        return legible(out.getvalue().rstrip(), getattr(sys.stdout, "encoding", None))

    def __rich__(self) -> RenderableType:
        return verdict_card(self)

    def _repr_html_(self) -> str:
        return verdict_html(self)
