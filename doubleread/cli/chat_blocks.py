"""Draws replies in the terminal."""

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text as Line

from doubleread.cli.cases_shared import SHOWN
from doubleread.cli.screen import table
from doubleread.core.attribution import Attribution, AttributionMap
from doubleread.core.errors import ImageError
from doubleread.core.evidence import Neighbour
from doubleread.core.terminal_text import harmless
from doubleread.render.heat import FRAMES, scale_words
from doubleread.render.preview import Preview
from doubleread.render.shown import ShownAttribution
from doubleread.render.terminal_card import share_bars
from doubleread.sessions.record import Bars, Block, Cases, Maps, Reply, Table, Text

SMALL, MAP = 18, 26
"""Columns of a stored case's picture, and of an attribution map."""


def reply_blocks(reply: Reply, console: Console, preview: Preview) -> Iterator[RenderableType]:
    """Yields each block of a reply, then the suggestions."""
    for block in reply.blocks:
        yield from _block(block, console, preview)
    if reply.suggestions:
        yield Line(harmless(f"next: {'   '.join(reply.suggestions)}"), style="dim")


def _block(block: Block, console: Console, preview: Preview) -> Iterator[RenderableType]:
    match block:
        case Text():
            yield _paragraphs(block)
        case Table():
            yield _table(block)
        case Cases():
            yield from _titled(block.title)
            shown = preview.how != "none"
            yield _pictures(block.cases, console, preview) if shown else _cases(block.cases)
        case Maps():
            yield _maps(block.found, console, preview)
        case Bars():
            yield from _titled(block.title)
            yield share_bars({harmless(one): p for one, p in block.shares.items()}, block.before)


def _titled(title: str) -> Iterator[Line]:
    if title:
        yield Line(harmless(title), style="bold")


def _paragraphs(block: Text) -> Grid:
    made = Grid.grid(padding=(0, 1, 0, 0))
    for line in block.lines:
        made.add_row(Line("·", style="dim"), Line(harmless(line)))
    return made


def _table(block: Table) -> Grid:
    made = table(*(harmless(name) for name in block.head))
    for row in block.rows:
        made.add_row(*(Line(harmless(cell)) for cell in row))
    return made


def _cases(cases: tuple[Neighbour, ...]) -> Grid:
    made = table("label", "similarity", "source", "case", right=("similarity",))
    for one in cases:
        made.add_row(
            Line(harmless(one.label)), f"{one.similarity:.2f}", Line(harmless(one.source)), one.case_id[:SHOWN]
        )
    return made


def _maps(found: Attribution, console: Console, preview: Preview) -> RenderableType:
    """Draws the overlays side by side where the terminal can show them, then their text."""
    shown = ShownAttribution.of_attribution(found)
    pictures = [_overlay(shown, one, preview) for one in found.maps] if preview.how != "none" else []
    lines = _paragraphs(Text(lines=found.lines))
    if None in pictures or not pictures:
        return lines
    columns = max(1, console.width // (MAP + 2))
    made = Grid.grid(padding=(0, 2, 1, 0))
    for start in range(0, len(pictures), columns):
        made.add_row(*pictures[start : start + columns])
    scale = f"from {' to '.join(scale_words(found.scale))}. {FRAMES}"
    return Group(made, Line(scale, style="dim"), lines)


def _overlay(found: ShownAttribution, one: AttributionMap, preview: Preview) -> Group | None:
    try:
        picture = preview.draw(found.overlay(one.agent), MAP)
    except (ImageError, OSError):
        return None
    return None if picture is None else Group(picture, Line(harmless(one.agent), style="bold"))


def _pictures(cases: tuple[Neighbour, ...], console: Console, preview: Preview) -> Grid:
    """Draws as many pictures side by side as fit; a missing picture is shown as a line of text."""
    columns = max(1, console.width // (SMALL + 2))
    made = Grid.grid(padding=(0, 2, 1, 0))
    for _ in range(columns):
        made.add_column(width=SMALL)
    drawn = [_picture(one, preview) for one in cases]
    for start in range(0, len(drawn), columns):
        made.add_row(*drawn[start : start + columns])
    return made


def _picture(one: Neighbour, preview: Preview) -> Group:
    told = Line.assemble((harmless(one.label), "bold"), f" {one.similarity:.2f}")
    picture = preview.file(one.path, one.case_id, SMALL) or Line("no picture", style="dim")
    return Group(picture, told, Line(harmless(one.source), style="dim", overflow="ellipsis", no_wrap=True))
