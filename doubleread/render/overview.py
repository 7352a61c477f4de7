"""What a data set, a panel or a result shows of itself: lines when printed, a card in a notebook."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from doubleread.core.terminal_text import harmless, harmless_lines, legible
from doubleread.render.html import environment, style_sheet

SHOWN = 3
"""Warnings that are printed; a card has all."""


@dataclass(frozen=True)
class Tile:
    """A picture, as a data URL, with its caption."""

    url: str | None
    caption: str
    detail: str = ""


@dataclass(frozen=True)
class Overview:
    """The parts of an overview; empty ones are left out."""

    kind: str
    title: str
    facts: tuple[tuple[str, str], ...] = ()
    """Names and values."""
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    """A table; only cards have it, and the tiles."""
    tiles: tuple[Tile, ...] = ()
    lines: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Only cards have them, folded."""

    def text(self) -> str:
        """Returns it as lines of text."""
        width = max((len(name) for name, value in self.facts if value), default=0)
        more = len(self.warnings) - SHOWN
        lines = (
            f"{self.kind} {self.title}".rstrip(),
            *(f"  {name:<{width}}  {value}" for name, value in self.facts if value),
            *(f"  {line}" for line in self.lines),
            *(f"  ! {line}" for line in self.warnings[:SHOWN]),
            *([f"  ! … and {more} more, see .warnings"] if more > 0 else ()),
        )
        return legible(harmless_lines("\n".join(lines)), getattr(sys.stdout, "encoding", None))

    def html(self) -> str:
        """Returns it as a card with its style sheet."""
        card = environment().get_template("overview.html").render(o=self)
        return f"<style>{style_sheet()}</style>{card}"


class HasOverview:
    """Shows an overview where the object is printed or ends a notebook's cell."""

    def _overview(self, *, pictures: bool) -> Overview:
        """Returns the overview; without ``pictures`` the tiles, which printed text does not have, may be missing."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self._overview(pictures=False).text()

    def __repr__(self) -> str:
        shown = self._overview(pictures=False)
        return harmless(f"<{shown.kind} {shown.title}>")

    def __rich__(self) -> Text:
        return Text(str(self))

    def _repr_html_(self) -> str:
        return self._overview(pictures=True).html()


def counted(names: Sequence[str], noun: str, shown: int = 8) -> str:
    """Returns names with their number: ``4 labels: a, b, c, d``."""
    listed = ", ".join(names[:shown]) + (", …" if len(names) > shown else "")
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'}: {listed}"
