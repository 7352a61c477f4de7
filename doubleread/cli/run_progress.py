"""Shows the progress of ``doubleread evaluate``."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

from doubleread.cli.screen import ERR

if TYPE_CHECKING:
    from doubleread.evals.runs.runner import RunProgress, Watch

_EVERY_S = 30.0
"""Seconds between lines if there is no terminal."""


@contextmanager
def watching() -> "Iterator[Watch]":
    """Shows a bar with rate, cost and time left; in a pipe, a line at intervals."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("diagnosing"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.description}"),
        console=ERR,
        disable=not ERR.is_terminal,
    )
    task, last = bar.add_task("", total=None), 0.0

    def watch(tally: "RunProgress") -> None:
        nonlocal last
        bar.update(task, completed=tally.done, total=tally.total, description=words(tally))
        now = time.monotonic()
        if not ERR.is_terminal and (now - last >= _EVERY_S or tally.done == tally.total):
            last, of = now, "" if tally.total is None else f"/{tally.total}"
            ERR.print(f"diagnosing: {tally.done}{of}  {words(tally)}".rstrip(), highlight=False)

    with bar:
        yield watch


def words(tally: "RunProgress") -> str:
    """Formats rate, cost, failures and time left; empty before the first case."""
    if not tally.fresh:
        return ""
    parts = [f"{tally.rate:.1f}/s" if tally.rate >= 1 else f"{1 / tally.rate:.1f} s each"]
    if tally.cost_usd:
        parts.append(f"${tally.cost_usd:.4f}")
    if tally.unread:
        parts.append(f"{tally.unread} not read")
    if tally.left_s:
        parts.append(f"{_clock(tally.left_s)} left")
    return " · ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
