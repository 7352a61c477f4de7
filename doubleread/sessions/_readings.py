"""Readings that can be watched, outlive the process that began them, and wait for a person.

Each is a thread of the graph, kept step by step in one SQLite file or a Postgres database. Only JSON is in it, and
nothing else is read back: a checkpoint that names a class is not trusted.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple, Self

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer
from doubleread.core.sqlite import PATIENCE_S
from doubleread.core.types import Json
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.course.graph import ANSWER, PanelInput, course_of, waiting_graph
from doubleread.orchestrator.course.seats import Seats
from doubleread.orchestrator.course.verdicts import verdict_of


@dataclass(frozen=True)
class Opened:
    """A round was opened to these agents."""

    round: int
    agents: tuple[str, ...]


@dataclass(frozen=True)
class ReadingEnd:
    """The verdict; where it ``waits``, a person is to decide."""

    verdict: Verdict
    waits: bool


class ReadingStep(NamedTuple):
    """What happened in a reading. A reading that goes on after a break may tell a step again, under the same key."""

    key: str
    what: Opened | Evidence | Answer | ReadingEnd


class ReadingStore:
    """Every reading of one file or database; made by ``open`` or ``open_database``, for one event loop."""

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        self._saver, self._graph = saver, waiting_graph(saver)

    @classmethod
    @asynccontextmanager
    async def open(cls, file: Path) -> AsyncIterator[Self]:
        """The readings of a file, which several processes may have open. Raises ``sqlite3.Error``."""
        async with aiosqlite.connect(file, timeout=PATIENCE_S) as connection:
            saver = AsyncSqliteSaver(connection, serde=_only_json())
            await saver.setup()
            yield cls(saver)

    @classmethod
    @asynccontextmanager
    async def open_database(cls, address: str) -> AsyncIterator[Self]:
        """The readings of a Postgres whose tables are there. Raises ``SessionsAway``."""
        from doubleread.sessions._postgres_saver import postgres_saver  # noqa: PLC0415 - an optional extra

        async with postgres_saver(address, _only_json()) as saver:
            yield cls(saver)

    async def follow(self, reading: str, case: Case, seats: Seats) -> AsyncGenerator[ReadingStep, None]:
        """Begins a reading, or goes on with it where it stopped: who answered is not asked again.

        Gives every step as it happens, after a break those before it too, and ``ReadingEnd`` as the last.
        """
        began = perf_counter()
        known = await self._graph.aget_state(_thread(reading))
        for step in _steps(known.values):
            yield step
        if not known.interrupts and (known.next or not course_of(known.values).ended):
            start = None if known.next else PanelInput(case=case.model_dump(mode="json"))
            running = self._graph.astream(
                start, _thread(reading), context=seats, stream_mode="updates", durability="sync"
            )
            async for update in running:
                for change in update.values():
                    for step in _steps(change):
                        yield step
        found = await self._graph.aget_state(_thread(reading))
        read = Case.model_validate(found.values["case"])
        verdict = verdict_of(read, course_of(found.values), seats, seconds=perf_counter() - began)
        yield ReadingStep("ended", ReadingEnd(verdict, waits=bool(found.interrupts)))

    async def decide(self, reading: str, decision: Json) -> None:
        """Ends a reading, where it waits. ``decision`` is JSON; it stands in the state as ``decided``."""
        if not (await self._graph.aget_state(_thread(reading))).interrupts:
            return
        await self._graph.ainvoke(Command(resume=decision), _thread(reading), durability="sync")

    async def decided(self, reading: str) -> Json | None:
        """What a person decided of a reading; None where nobody has."""
        found = await self._graph.aget_state(_thread(reading))
        decision: Json | None = found.values.get("decided")
        return decision

    async def forget(self, reading: str) -> None:
        """Takes a reading out of the file."""
        await self._saver.adelete_thread(reading)


def _only_json() -> JsonPlusSerializer:
    return JsonPlusSerializer(allowed_msgpack_modules=None)


def _thread(reading: str) -> Any:
    return {"configurable": {"thread_id": reading}}


def _steps(change: Any) -> Iterator[ReadingStep]:
    """What a change of the state tells, or the state itself."""
    if not isinstance(change, dict):  # an interrupt
        return
    if "evidence" in change:
        yield ReadingStep(f"evidence/{change.get('round', 1)}", Evidence.model_validate(change["evidence"]))
    for turn, names in change.get("asked", {}).items():
        yield ReadingStep(f"asked/{turn}", Opened(int(turn.partition("/")[0]), tuple(names)))
    for key, answer in change.get("answers", {}).items():
        yield ReadingStep(f"answer/{key}", ANSWER.validate_python(answer))
