"""What the commands share on the terminal: consoles, progress, notes. Progress and notes go to stderr.

Whatever is printed on these consoles is harmless, whoever wrote it.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from doubleread.core.progress import Progress as Report
from doubleread.core.terminal_text import MARK, harmless_lines, is_shown, legible, legible_json


class Harmless(RenderHook):
    """Keeps what models, archives and file names say from steering the terminal."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Shown(one) for one in renderables]


class _Shown:
    def __init__(self, what: ConsoleRenderable) -> None:
        self._what = what

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._what, options):
            yield segment if segment.control else segment._replace(text=_as_wide(segment.text))


def _as_wide(text: str) -> str:
    """Harmless, and as wide as before: the lines are laid out already."""
    if text.isprintable():
        return text
    return "".join(one if one == "\n" or is_shown(one) else MARK * cell_len(one) for one in text)


OUT = Console()
ERR = Console(stderr=True)
for _console in (OUT, ERR):
    _console.push_render_hook(Harmless())


@contextmanager
def progress() -> Iterator[Report]:
    """A progress bar a stage; in a pipe one line when a stage is done."""
    bars = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        console=ERR,
        disable=not ERR.is_terminal,
    )
    stages: dict[str, TaskID] = {}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in stages:
            stages[stage] = bars.add_task(stage, total=total)
        bars.update(stages[stage], completed=done, total=total)
        if not ERR.is_terminal and done == total:
            ERR.print(f"{stage}: {done}/{total}")

    with bars:
        yield report


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """An empty table in the look of all others; the columns named in ``right`` are aligned there."""
    made = Table(header_style="dim", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return made


def facts_table(facts: Sequence[tuple[str, str]]) -> Table:
    """Names and what they stand for, without those that are empty."""
    made = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in facts:
        if value:
            made.add_row(Text(name), Text(value))
    return made


def say(text: str, style: str | None = None) -> None:
    """A result for people, in one line however long."""
    OUT.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def tell(text: str) -> None:
    """A line for programs: a path, as it is."""
    _write(legible(text, getattr(sys.stdout, "encoding", None)))


def tell_json(text: str) -> None:
    """A line of JSON for programs; what the encoding lacks is escaped."""
    _write(legible_json(text, getattr(sys.stdout, "encoding", None)))


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """A line for people."""
    ERR.print(f"[dim]·[/dim] {escape(harmless_lines(text))}", highlight=False)


def warn(text: str) -> None:
    """A line that must not be missed."""
    ERR.print(f"[dark_orange]![/dark_orange] {escape(harmless_lines(text))}", highlight=False)


def warn_some(lines: Sequence[str], more: str, shown: int = 10) -> None:
    """Warns of the first of many; ``more`` says how many are left, as in ``{n:,} more rows``."""
    for line in lines[:shown]:
        warn(line)
    if len(lines) > shown:
        warn(f"… and {more.format(n=len(lines) - shown)}")
