"""Consoles, progress bars and notes for all commands. Progress and notes go to stderr.

These consoles neutralise terminal control characters in everything they print.
"""

import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from doubleread.core.glossary import words_in
from doubleread.core.notices import DoublereadWarning, first_few
from doubleread.core.progress import Progress as Report
from doubleread.core.terminal_text import MARK, harmless_lines, is_shown, legible, legible_json
from doubleread.render.progress_display import StageBars


class Harmless(RenderHook):
    """Prevents text from models, archives and file names from controlling the terminal."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        return [_Shown(one) for one in renderables]


class _Shown:
    def __init__(self, what: ConsoleRenderable) -> None:
        self._what = what

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for segment in console.render(self._what, options):
            yield segment if segment.control else segment._replace(text=_as_wide(segment.text))


def _as_wide(text: str) -> str:
    """Replaces control characters and keeps the width, since lines are already laid out."""
    if text.isprintable():
        return text
    return "".join(one if one == "\n" or is_shown(one) else MARK * cell_len(one) for one in text)


OUT = Console()
ERR = Console(stderr=True)
for _console in (OUT, ERR):
    _console.push_render_hook(Harmless())


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Prints each warning of the library once, as a line: the one way in which warnings reach the command line."""
    said = set[str]()
    with warnings.catch_warnings():
        warnings.simplefilter("always", DoublereadWarning)
        others = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if not issubclass(category, DoublereadWarning):
                others(message, category, filename, lineno, file, line)
            elif (text := str(message)) not in said:
                said.add(text)
                warn(text)

        warnings.showwarning = show
        yield


@contextmanager
def progress() -> Iterator[Report]:
    """Shows a progress bar per stage; in a pipe, one line when a stage is done."""

    def report(stage: str, done: int, total: int) -> None:
        if done == total:
            ERR.print(f"{stage}: {done}/{total}")

    if not ERR.is_terminal:
        yield report
        return
    bars = StageBars(ERR)
    try:
        yield bars
    finally:
        bars.close()


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """Returns an empty table in the common style; columns named in ``right`` are right-aligned."""
    made = Table(header_style="dim", box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for name in columns:
        made.add_column(name, justify="right" if name in right else "left", overflow="fold")
    return made


def facts_table(facts: Sequence[tuple[str, str]]) -> Table:
    """Returns a table of names and values, without empty values."""
    made = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in facts:
        if value:
            made.add_row(Text(name), Text(value))
    return made


def say(text: str, style: str | None = None) -> None:
    """Prints a result for people, unwrapped."""
    OUT.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def tell(text: str) -> None:
    """Prints a line for programs, such as a path, without formatting."""
    _write(legible(text, getattr(sys.stdout, "encoding", None)))


def tell_json(text: str) -> None:
    """Prints a line of JSON for programs; characters that the encoding lacks are escaped."""
    _write(legible_json(text, getattr(sys.stdout, "encoding", None)))


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Prints a note for people."""
    ERR.print(f"[dim]·[/dim] {escape(harmless_lines(text))}", highlight=False)


def words_line(texts: Iterable[str]) -> None:
    """Names the glossary words of a screen, dim; prints nothing if it uses none."""
    if used := words_in(texts):
        ERR.print(Text(f"words: {', '.join(term.name for term in used)} (see: doubleread glossary)", "dim"))


def warn(text: str) -> None:
    """Prints a warning."""
    ERR.print(f"[dark_orange]![/dark_orange] {escape(harmless_lines(text))}", highlight=False)


def warn_some(lines: Sequence[str], more: str, shown: int = 10) -> None:
    """Prints the first ``shown`` warnings; ``more`` announces the rest, as in ``{n:,} more rows``."""
    for line in first_few(lines, more, shown):
        warn(line)
