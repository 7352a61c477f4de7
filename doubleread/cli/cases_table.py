"""The table of ``doubleread cases list``: one line per case, as wide as the screen.

Empty columns are left out. Narrow screens drop further columns and cut long values; pipes get everything.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from doubleread.cli.cases_shared import SHOWN
from doubleread.cli.screen import table

if TYPE_CHECKING:
    from doubleread.core.stored import StoredCase

_FIRST_TO_GO = ("origin", "split", "tags", "group")
_MOST = 24
"""Maximum width in cells of a column on a screen, except the source column."""
_SOURCE = 20
"""Other columns are dropped until the source column has at least this many cells."""
_NARROW, _FEW = 100, 8
"""On screens narrower than the first number of cells, ids are cut to the second number of characters."""
_GAP = 2
_Columns = dict[str, list[str]]


def print_cases(cases: "Sequence[StoredCase]", console: Console) -> None:
    """Prints the table: as wide as the terminal, or in a pipe as wide as its contents."""
    columns = _columns(cases)
    if console.is_terminal:
        console.print(_cut(columns, console.width))
    else:
        wide = sum(_widths(columns).values())
        Console(file=console.file, width=wide).print(_table(columns))


def _columns(cases: "Sequence[StoredCase]") -> _Columns:
    found = {
        "id": [one.case.id[:SHOWN] for one in cases],
        "label": [one.label for one in cases],
        "group": [one.case.group or "" for one in cases],
        "split": [one.case.split or "" for one in cases],
        "tags": [", ".join(one.tags) for one in cases],
        "source": [one.case.source for one in cases],
        "added": [f"{one.added.astimezone():%Y-%m-%d}" for one in cases],
        "origin": [one.origin for one in cases],
    }
    return {name: texts for name, texts in found.items() if any(texts)}


def _cut(columns: _Columns, width: int) -> Table:
    if width < _NARROW:
        columns = {**columns, "id": [one[:_FEW] for one in columns["id"]]}
    for name in _FIRST_TO_GO:
        if _beside_source(columns) + _SOURCE + _GAP > width:
            columns = {key: texts for key, texts in columns.items() if key != name}
    room = max(_SOURCE, width - _beside_source(columns) - _GAP)
    if "source" in columns:
        columns = {**columns, "source": [_end(one, room) for one in columns["source"]]}
    return _table(columns, most=_MOST)


def _beside_source(columns: _Columns) -> int:
    return sum(min(_MOST + _GAP, wide) for name, wide in _widths(columns).items() if name != "source")


def _widths(columns: _Columns) -> dict[str, int]:
    """Returns the width of each column in cells, including the gap to the next."""
    return {name: _GAP + max(map(cell_len, (name, *texts))) for name, texts in columns.items()}


def _end(text: str, room: int) -> str:
    """Keeps the end of a text, which says more about a path than its start."""
    if cell_len(text) <= room:
        return text
    while cell_len(text) >= room:
        text = text[1:]
    return f"…{text}"


def _table(columns: _Columns, most: int | None = None) -> Table:
    shown = table(*columns)
    for column in shown.columns:
        column.no_wrap, column.overflow = True, "ellipsis"
        column.max_width = None if column.header == "source" else most
    for row in zip(*columns.values(), strict=True):
        shown.add_row(*map(Text, row))
    return shown
