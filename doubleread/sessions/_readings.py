"""Readings that can be followed, survive the process that started them, and wait for a person.

Each is a thread of the graph, checkpointed step by step in a SQLite file or a Postgres database. Checkpoints hold only
JSON, and nothing else is read back: a checkpoint that names a class is not trusted.
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
    """The verdict; if ``waits``, a person has to decide."""

    verdict: Verdict
    waits: bool


class ReadingStep(NamedTuple):
    """One step of a reading. A resumed reading may repeat a step, under the same key."""

    key: str
    what: Opened | Evidence | Answer | ReadingEnd


class ReadingStore:
    """The readings of a file or database; made by ``open`` or ``open_database``, for one event loop."""

    def __init__(self, saver: BaseCheckpointSaver[Any]) -> None:
        self._saver, self._graph = saver, waiting_graph(saver)

    @classmethod
    @asynccontextmanager
    async def open(cls, file: Path) -> AsyncIterator[Self]:
        """Opens a file, which several processes may share. Raises ``sqlite3.Error``."""
        async with aiosqlite.connect(file, timeout=PATIENCE_S) as connection:
            saver = AsyncSqliteSaver(connection, serde=_only_json())
            await saver.setup()
            yield cls(saver)

    @classmethod
    @asynccontextmanager
    async def open_database(cls, address: str) -> AsyncIterator[Self]:
        """Opens a Postgres database that has the tables. Raises ``SessionsAway``."""
        from doubleread.sessions._postgres_saver import postgres_saver  # noqa: PLC0415 - an optional extra

        async with postgres_saver(address, _only_json()) as saver:
            yield cls(saver)

    async def follow(self, reading: str, case: Case, seats: Seats) -> AsyncGenerator[ReadingStep, None]:
        """Starts or resumes a reading; agents that answered are not asked again.

        Yields every step as it happens, on resuming also the earlier ones, and ``ReadingEnd`` last.
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
        """Ends a waiting reading. ``decision`` is JSON; the state keeps it as ``decided``."""
        if not (await self._graph.aget_state(_thread(reading))).interrupts:
            return
        await self._graph.ainvoke(Command(resume=decision), _thread(reading), durability="sync")

    async def decided(self, reading: str) -> Json | None:
        """Returns a person's decision on a reading; None if there is none."""
        found = await self._graph.aget_state(_thread(reading))
        decision: Json | None = found.values.get("decided")
        return decision

    async def forget(self, reading: str) -> None:
        """Deletes a reading."""
        await self._saver.adelete_thread(reading)


def _only_json() -> JsonPlusSerializer:
    return JsonPlusSerializer(allowed_msgpack_modules=None)


def _thread(reading: str) -> Any:
    return {"configurable": {"thread_id": reading}}


def _steps(change: Any) -> Iterator[ReadingStep]:
    """Yields the steps in a state or an update of it."""
    if not isinstance(change, dict):  # an interrupt
        return
    if "evidence" in change:
        yield ReadingStep(f"evidence/{change.get('round', 1)}", Evidence.model_validate(change["evidence"]))
    for turn, names in change.get("asked", {}).items():
        yield ReadingStep(f"asked/{turn}", Opened(int(turn.partition("/")[0]), tuple(names)))
    for key, answer in change.get("answers", {}).items():
        yield ReadingStep(f"answer/{key}", ANSWER.validate_python(answer))
