"""Takes a run from where it is to its end: cases out to an engine, rows into the folder as they come in."""

import asyncio
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal, Self

from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_engine import Engine, NumberedCase
from doubleread.evals.runs.run_folder import RunFolder

End = Literal["complete", "interrupted", "budget"]


@dataclass(frozen=True)
class RunProgress:
    """How far a run is. ``done`` counts the cases of earlier sittings too, the rest is of this one."""

    total: int | None
    """None where it is not known yet."""
    done: int
    fresh: int = 0
    unread: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Cases a second."""
        return self.fresh / self.seconds if self.seconds > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds until the end, at this rate."""
        return (self.total - self.done) / self.rate if self.rate and self.total is not None else None

    def passed(self) -> Self:
        """How far it is with one more case of an earlier sitting."""
        return replace(self, done=self.done + 1)

    def after(self, result: Verdict | Unread, seconds: float) -> Self:
        """How far it is once this result is there, so many seconds after the beginning."""
        return replace(
            self,
            done=self.done + 1,
            fresh=self.fresh + 1,
            unread=self.unread + isinstance(result, Unread),
            cost_usd=self.cost_usd + (result.cost_usd if isinstance(result, Verdict) else 0.0),
            seconds=seconds,
        )


Watch = Callable[[RunProgress], None]


async def run(
    engine: Engine,
    cases: Sequence[NumberedCase],
    folder: RunFolder,
    watch: Watch,
    stop: threading.Event,
    *,
    retry: bool = False,
) -> End:
    """Runs what has no row yet, and with ``retry`` what failed, until all is done or ``stop`` is set.

    ``watch`` hears of a case once its row is on disk. Stopped, nothing new is begun, and cases in flight end. Where
    the budget is spent, the cases it did not suffice for get no row: the run goes on with them once there is more.
    """
    missing = [one for one in cases if one.place not in folder.done or (retry and folder.done[one.place] != "verdict")]
    began, spent = perf_counter(), False
    tally = RunProgress(total=len(cases), done=len(cases) - len(missing))
    watch(tally)

    def stored(row: Row) -> None:
        nonlocal tally
        result = row.verdict or row.unread
        assert result is not None
        tally = tally.after(result, perf_counter() - began)
        watch(tally)

    storage = RowStorage(folder, stored)
    try:
        async with aclosing(engine.answers(_until(missing, stop))) as answers:
            async for (place, case), result in answers:
                if unpaid(result):
                    spent = True
                    stop.set()
                    continue
                row = Row(index=place, case=case, verdict=result) if isinstance(result, Verdict) else None
                storage.add(row or Row(index=place, case=case, unread=Unread.model_validate(result)))
    finally:
        await storage.close()
    if spent:
        return "budget"
    return "complete" if tally.done == tally.total else "interrupted"


def _until(cases: Iterable[NumberedCase], stop: threading.Event) -> Iterable[NumberedCase]:
    for one in cases:
        if stop.is_set():
            return
        yield one


def unpaid(result: Verdict | Unread) -> bool:
    """Whether some agent was not asked because there was no money left."""
    return isinstance(result, Verdict) and any(one.cause in ("budget", "quota") for one in result.abstentions)


class RowStorage:
    """Appends rows to a run in another thread; ``stored`` is told of each row once it is on disk.

    What comes in during one sync goes to disk with the next.
    """

    def __init__(self, folder: RunFolder, stored: Callable[[Row], None]) -> None:
        self._folder, self._stored = folder, stored
        self._waiting: list[Row] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, row: Row) -> None:
        """Takes a row; raises the ``RunError`` of an earlier one that could not be stored."""
        if self._task is not None and self._task.done():
            self._task.result()
            self._task = None
        self._waiting.append(row)
        self._task = self._task or asyncio.create_task(self._store())

    async def close(self) -> None:
        """Returns when all rows are on disk; raises the ``RunError`` of one that is not."""
        if self._task is not None:
            await self._task

    async def _store(self) -> None:
        while self._waiting:
            rows, self._waiting = self._waiting, []
            await asyncio.to_thread(self._folder.append, *rows)
            for row in rows:
                self._stored(row)
