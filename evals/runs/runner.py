"""Takes a run from where it is to its end: cases out to an engine, rows into the folder as they come in."""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Literal

from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_engine import Engine, Numbered
from doubleread.evals.runs.run_folder import RunFolder
from doubleread.evals.runs.storing import Storing

End = Literal["complete", "interrupted", "budget"]


@dataclass(frozen=True)
class Tally:
    """How far a run is. ``done`` counts the cases of earlier sittings too, the rest is of this one."""

    total: int
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
        return (self.total - self.done) / self.rate if self.rate else None


Watch = Callable[[Tally], None]


async def run(
    engine: Engine,
    cases: Sequence[Numbered],
    folder: RunFolder,
    watch: Watch,
    stop: threading.Event,
    *,
    retry: bool = False,
) -> End:
    """Runs what has no row yet, and with ``retry`` what failed, until all is done or ``stop`` is set.

    ``watch`` hears of a case once its row is on disk. Stopped, nothing new is begun, and cases in flight end. Where
    the budget is spent, the cases that it did not suffice for get no row: the run goes on with them once there is more.
    """
    missing = [one for one in cases if one.place not in folder.done or (retry and folder.done[one.place] != "verdict")]
    began, spent = perf_counter(), False
    tally = Tally(total=len(cases), done=len(cases) - len(missing))
    watch(tally)

    def stored(row: Row) -> None:
        nonlocal tally
        tally = replace(
            tally,
            done=tally.done + 1,
            fresh=tally.fresh + 1,
            unread=tally.unread + (row.verdict is None),
            cost_usd=tally.cost_usd + (0.0 if row.verdict is None else row.verdict.cost_usd),
            seconds=perf_counter() - began,
        )
        watch(tally)

    storing = Storing(folder, stored)
    try:
        async with aclosing(engine.answers(_until(missing, stop))) as answers:
            async for (place, case), result in answers:
                if _unpaid(result):
                    spent = True
                    stop.set()
                    continue
                row = Row(index=place, case=case, verdict=result) if isinstance(result, Verdict) else None
                storing.add(row or Row(index=place, case=case, unread=Unread.model_validate(result)))
    finally:
        await storing.close()
    if spent:
        return "budget"
    return "complete" if tally.done == tally.total else "interrupted"


def _until(cases: Iterable[Numbered], stop: threading.Event) -> Iterable[Numbered]:
    for one in cases:
        if stop.is_set():
            return
        yield one


def _unpaid(result: Verdict | Unread) -> bool:
    """Whether some agent was not asked because there was no money left."""
    return isinstance(result, Verdict) and any(one.cause in ("budget", "quota") for one in result.abstentions)
