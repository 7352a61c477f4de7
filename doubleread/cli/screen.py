"""What the commands share on the terminal: consoles, progress, notes. Progress and notes go to stderr."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
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

from doubleread.watching import Progress as Report

OUT = Console()
ERR = Console(stderr=True)


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


def note(text: str) -> None:
    """A line for people."""
    ERR.print(f"[dim]·[/dim] {escape(text)}", highlight=False)


def warn(text: str) -> None:
    """A line that must not be missed."""
    ERR.print(f"[dark_orange]![/dark_orange] {escape(text)}", highlight=False)
