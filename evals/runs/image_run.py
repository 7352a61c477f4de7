"""Images without labels, diagnosed as a stream: each result is shown in the order of the images, and may be kept.

In a folder, a verdict is on disk before it is shown, and the images that have one are not diagnosed again.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from doubleread.core.background import Background
from doubleread.core.case import Case, shown
from doubleread.core.durable import write_file
from doubleread.core.errors import ImageError
from doubleread.core.image_paths import named
from doubleread.core.process import at_rest
from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.metrics.case_tables import CaseTable
from doubleread.evals.runs._interruptions import waited
from doubleread.evals.runs._run_identity import left_out, run_record
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_folder import RunFolder, read_rows
from doubleread.evals.runs.runner import End, RowStorage, RunProgress, Watch, unpaid
from doubleread.panel import Panel
from doubleread.panel.image_stream import case_of_file, next_of

UNOPENED, TABLE = "unopened.jsonl", "cases.csv"
Named = str | Unread
"""The path of an image, or why there is none."""
_POLL_S = 0.2
_AHEAD = 4
"""Times ``run.in_flight``: how far the last image in progress may be ahead of the first one."""


@dataclass(frozen=True)
class ImageRun:
    """What is done with the results."""

    show: Callable[[Verdict | Unread], None]
    """Called in the order of the images, once the result is on disk."""
    out: Path | None = None
    """Folder to keep the verdicts in."""
    decided: Callable[[Verdict], Verdict] = lambda verdict: verdict
    """What becomes of a verdict, as with other costs."""
    identity: Any = None
    """What ``decided`` depends on, as JSON."""
    total: int | None = None
    watch: Watch = lambda _tally: None
    retry: bool = False
    """Whether images that failed before are diagnosed again."""


@dataclass(frozen=True)
class ImageRunOutcome:
    """How it ended, and how many of the images had a verdict before."""

    end: End
    before: int


def diagnose_images(
    panel: Panel, images: Iterable[Named] | AsyncIterable[Named], wanted: ImageRun, stop: threading.Event | None = None
) -> ImageRunOutcome:
    """Diagnoses images until there is none left, or it was stopped; ``KeyboardInterrupt`` acts as in ``evaluate``.

    Raises ``RunError`` where the folder cannot be used or is of another panel or other settings.
    """
    halt = stop or threading.Event()
    with ExitStack() as held:
        folder = None
        if wanted.out is not None:
            folder = held.enter_context(RunFolder.begin(wanted.out, _record(panel, wanted)))
        held.enter_context(at_rest())
        background = held.enter_context(Background())
        stream = _Stream(panel, folder, wanted, halt)
        end = waited(background.submit(stream.run, images), halt)
        if folder is not None:
            _complete(folder, stream.unopened)
    return ImageRunOutcome(end, stream.before)


def _record(panel: Panel, wanted: ImageRun) -> Any:
    assert wanted.out is not None
    warnings = tuple(panel.warnings)
    identity = ["images without labels", wanted.identity]
    name = wanted.out.resolve().name
    return run_record(panel, name, identity, cases=0, notes=tuple(left_out(panel)), warnings=warnings)


def _complete(folder: RunFolder, unopened: list[Unread]) -> None:
    """Writes what is derived from the rows: the table, and the images that could not be opened this time."""
    folder.recount()
    table = CaseTable(folder.record.task, folder.record.agents, ())
    table.write_csv(folder.folder / TABLE, read_rows(folder.folder))
    write_file(folder.folder / UNOPENED, b"".join(one.model_dump_json().encode() + b"\n" for one in unopened))


class _Stream:
    """Takes images as there is room for them, and shows their results in order."""

    def __init__(self, panel: Panel, folder: RunFolder | None, wanted: ImageRun, stop: threading.Event) -> None:
        self._panel, self._folder, self._wanted, self._stop = panel, folder, wanted, stop
        self._known = folder.known() if folder else {}
        self._next_index = max(folder.done, default=-1) + 1 if folder else 0
        self._reading: dict[int, tuple[int, int, Case]] = {}
        """Cases in progress by their place in the panel's stream: their place in the order, their index, and they."""
        self._places: dict[int, int] = {}
        """Place in the order by index, for rows that are being stored."""
        self._ready: dict[int, Verdict | Unread | None] = {}
        self._taken = self._shown = 0
        self._room = asyncio.Event()
        self._began = perf_counter()
        self._tally = RunProgress(total=wanted.total, done=0)
        self.unopened: list[Unread] = []
        self.before = 0

    async def run(self, images: Iterable[Named] | AsyncIterable[Named]) -> End:
        self._wanted.watch(self._tally)
        storage = RowStorage(self._folder, self._stored) if self._folder else None
        spent = False
        try:
            async with aclosing(self._panel.astream(self._cases(images))) as results:
                async for place, result in results:
                    order, index, case = self._reading.pop(place)
                    if storage is None:
                        self._finish(order, self._decided(result))
                    elif unpaid(result):
                        spent = True
                        self._stop.set()
                        self._finish(order, None)
                    else:
                        self._places[index] = order
                        storage.add(_row(index, case, self._decided(result)))
        finally:
            if storage is not None:
                await storage.close()
        if spent:
            return "budget"
        return "interrupted" if self._stop.is_set() else "complete"

    async def _cases(self, images: Iterable[Named] | AsyncIterable[Named]) -> AsyncIterator[Case]:
        """The cases to diagnose. What cannot be opened, or has a verdict, is finished here."""
        place = 0
        async with aclosing(_until(images, self._stop)) as taken:
            async for image in taken:
                await self._until_room()
                order, self._taken = self._taken, self._taken + 1
                case = _opened(image)
                if isinstance(case, Unread):
                    self.unopened.append(case)
                    self._finish(order, case)
                    continue
                index = self._index(case)
                if index is None:
                    self._skip(order)
                    continue
                self._reading[place] = order, index, case
                place += 1
                yield case

    def _index(self, case: Case) -> int | None:
        """The index of the case's row; None where it has one that is kept."""
        there = self._known.get(str(case.path))
        if there and there[1] == case.id and self._folder:
            kept = self._folder.done[there[0]] == "verdict" or not self._wanted.retry
            return None if kept else there[0]
        index, self._next_index = self._next_index, self._next_index + 1
        return index

    async def _until_room(self) -> None:
        await asyncio.sleep(0)  # lets the cases in progress go on while many are passed
        while self._taken - self._shown >= _AHEAD * self._panel.settings.run.in_flight:
            self._room.clear()
            await self._room.wait()

    def _decided(self, result: Verdict | Unread) -> Verdict | Unread:
        return self._wanted.decided(result) if isinstance(result, Verdict) else result

    def _stored(self, row: Row) -> None:
        self._finish(self._places.pop(row.index), row.verdict or row.unread)

    def _skip(self, order: int) -> None:
        self.before += 1
        self._tally = self._tally.passed()
        self._finish(order, None)

    def _finish(self, order: int, result: Verdict | Unread | None) -> None:
        """Shows the result once those of the images before are shown; None: there is nothing to show."""
        if result is not None:
            self._tally = self._tally.after(result, perf_counter() - self._began)
        self._ready[order] = result
        while self._shown in self._ready:
            one = self._ready.pop(self._shown)
            self._shown += 1
            if one is not None:
                self._wanted.show(one)
        self._wanted.watch(self._tally)
        self._room.set()


def _opened(image: Named) -> Case | Unread:
    if isinstance(image, Unread):
        return image
    try:
        return case_of_file(image)
    except ImageError as error:
        return Unread(source=shown(named(image)), code=error.code, problem=str(error))


def _row(index: int, case: Case, result: Verdict | Unread) -> Row:
    if isinstance(result, Verdict):
        return Row(index=index, case=case, verdict=result)
    return Row(index=index, case=case, unread=result)


async def _until(images: Iterable[Named] | AsyncIterable[Named], stop: threading.Event) -> AsyncGenerator[Named, None]:
    """The images until ``stop`` is set, also while the next one is waited for."""
    if not isinstance(images, AsyncIterable):
        for image in images:
            if stop.is_set():
                return
            yield image
        return
    waiting = aiter(images)
    while not stop.is_set():
        taking = asyncio.create_task(next_of(waiting))
        while not taking.done():
            await asyncio.wait({taking}, timeout=_POLL_S)
            if stop.is_set() and not taking.done():
                taking.cancel()
                return
        if not (taken := taking.result()):
            return
        yield taken[0]
