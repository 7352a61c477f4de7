"""Progress of long work: bars in a terminal, a line in a notebook, otherwise log messages. Nothing goes to stdout."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from importlib import import_module
from time import monotonic
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from doubleread.core.progress import Progress

AFTER_S = 0.5
"""Work that is done sooner shows nothing."""
LOG_EVERY_S, DRAW_EVERY_S = 10.0, 0.2
_log = logging.getLogger("doubleread")


class Display(Protocol):
    """Shows progress until it is closed."""

    def __call__(self, stage: str, done: int, total: int) -> None: ...

    def close(self) -> None: ...


@contextmanager
def shown(progress: Progress | None = None) -> Iterator[Progress]:
    """Yields ``progress``, or without one the display that fits the place where this program runs."""
    if progress is not None:
        yield progress
        return
    display = display_here()
    try:
        yield display
    finally:
        display.close()


def display_here() -> Display:
    """Returns bars on stderr in a terminal, a line in a notebook, and log messages (INFO, ``doubleread``) elsewhere."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if getattr(shell, "kernel", None) is not None:
        return NotebookLine(import_module("IPython.display").display)
    if sys.stderr is not None and sys.stderr.isatty():
        return StageBars(Console(stderr=True), transient=True, after_s=AFTER_S)
    return LogLines()


class StageBars:
    """One bar for each stage in a terminal; ``transient`` bars vanish at the end."""

    def __init__(self, console: Console, *, transient: bool = False, after_s: float = 0.0) -> None:
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=transient,
            redirect_stdout=sys.stdout is not None and sys.stdout.isatty(),  # else output to a file would be redirected
        )
        self._stages: dict[str, TaskID] = {}
        self._begin = monotonic() + after_s

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage not in self._stages:
            self._stages[stage] = self._bars.add_task(stage, total=total)
        self._bars.update(self._stages[stage], completed=done, total=total)
        if not self._bars.live.is_started and monotonic() >= self._begin:
            self._bars.start()

    def close(self) -> None:
        if self._bars.live.is_started:
            self._bars.stop()


class NotebookLine:
    """The current stage in a notebook's output, removed at the end. ``display`` is IPython's."""

    def __init__(self, display: Any, after_s: float = AFTER_S, every_s: float = DRAW_EVERY_S) -> None:
        self._display, self._every_s = display, every_s
        self._handle: Any = None
        self._next = monotonic() + after_s

    def __call__(self, stage: str, done: int, total: int) -> None:
        if monotonic() < self._next:
            return
        self._next = monotonic() + self._every_s
        text = f"{stage}: {done:,} of {total:,}"
        bar = f'<progress value="{done}" max="{max(total, 1)}"></progress> {escape(text)}'
        self._draw({"text/plain": text, "text/html": bar})

    def close(self) -> None:
        if self._handle is not None:
            self._draw({"text/plain": "", "text/html": ""})

    def _draw(self, shown: dict[str, str]) -> None:
        if self._handle is None:
            self._handle = self._display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)


class LogLines:
    """One message for a finished stage, and one every ten seconds before."""

    def __init__(self, every_s: float = LOG_EVERY_S) -> None:
        self._every_s, self._next = every_s, monotonic() + every_s

    def __call__(self, stage: str, done: int, total: int) -> None:
        if done == total or monotonic() >= self._next:
            self._next = monotonic() + self._every_s
            _log.info("%s: %d of %d", stage, done, total)

    def close(self) -> None:
        """Nothing is left to do."""
