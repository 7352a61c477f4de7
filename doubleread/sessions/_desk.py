"""The implementation of sessions on one event loop: images, readings, conversation and decisions."""

import asyncio
import secrets
import sqlite3
from collections.abc import Callable
from contextlib import AsyncExitStack, aclosing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from doubleread.core.attribution import Attribution
from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.errors import DoublereadError, SessionError, SessionsAway, SessionsFull
from doubleread.core.evidence import Evidence
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.sessions._decisions import SessionDecisions
from doubleread.sessions._log import Progress, Started
from doubleread.sessions._readings import Opened, ReadingEnd, ReadingStep
from doubleread.sessions._storage import open_storage
from doubleread.sessions._work import Work, cancelled
from doubleread.sessions.actions.where import mapped
from doubleread.sessions.completion import LineCompletion, complete
from doubleread.sessions.export import Format, write
from doubleread.sessions.manner import PLAIN, check, seated
from doubleread.sessions.record import (
    Asked,
    Confirm,
    Event,
    Failed,
    How,
    Image,
    Kind,
    Order,
    Read,
    Reply,
    Said,
    Switch,
    Text,
    Undo,
    Waiting,
    person,
)
from doubleread.sessions.standing import Response, Standing, Talk, name_of, standing_of, talked_about

T = TypeVar("T")
STOPPED = "the reading was stopped before its end: read the image again for a verdict"


def kind_of(panel: Panel) -> str:
    """Describes what panels must share to continue each other's sessions: the task, its labels, and the agents."""
    return f"task {panel.task.id!r} ({', '.join(panel.task.names)}), read by {', '.join(panel.agents)}"


class Desk:
    """The sessions of a folder. Call ``open`` first and ``close`` last; see ``engine.Sessions`` for the methods."""

    def __init__(self, panel: Panel, folder: Path, talk: Talk, database: str) -> None:
        self._panel, self._folder, self._talk, self._database = panel, folder, talk, database
        self._talking: dict[str, asyncio.Lock] = {}
        """Locks by session, so that replies keep the order of the messages."""
        self._deciding: dict[str, asyncio.Lock] = {}
        """Locks by session, so that decisions are made one at a time."""
        self._turns: dict[str, asyncio.Lock] = {}
        """Locks by session, for readings that run one after the other."""
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        """Opens the storage and continues readings that another process left unfinished."""
        async with AsyncExitStack() as opening:
            opening.push_async_callback(self._stack.aclose)
            await self._open()
            opening.pop_all()

    async def _open(self) -> None:
        storage = await self._stack.enter_async_context(open_storage(self._folder, self._database))
        self._log, self._pictures, self._readings = storage.log, storage.pictures, storage.readings
        self._pictures.policy = self._panel.image_policy
        self._log.belong(kind_of(self._panel))
        self._owner, self.storage, self.work = storage.owner, storage, Work()
        self._decisions = SessionDecisions(self._panel, self._log, self._readings, self.work, self._standing)
        listening = self.work.bell.listen(lambda: self._log.version, self._pictures.sweep)
        self._listening = asyncio.create_task(listening)
        for owner in filter(self._owner.gone, self._log.owners()):
            for reading in self._log.take_over(owner, self._owner.name):
                self.work.start(reading.session, self._carry_on(reading), reading.id)

    async def close(self) -> None:
        """Stops; unfinished readings continue at the next start."""
        await cancelled([*self.work.going_on(), self._listening])
        await self._stack.aclose()

    async def delete(self, session: str) -> None:
        readings = await self.work.ask(self._log.readings, session)
        await self.work.ask(self._log.info, session)
        await cancelled(self.work.going_on(session))
        for reading in readings:
            await self._readings.forget(reading.id)
        await self.work.ask(self._pictures.delete, session)
        await self.work.write(self._log.delete, session)
        for locks in (self._talking, self._deciding, self._turns):
            locks.pop(session, None)

    async def next_events(self, session: str, after: int) -> list[Event]:
        """Waits for events after number ``after`` and returns them."""
        while True:
            bell = self.work.bell.next
            with suppress(SessionsAway):  # the bell rings when the database is back
                if found := await self.work.ask(self._log.events, session, after):
                    return found
            await bell.wait()

    async def export(self, session: str, format: Format, folder: Path, *, metadata: bool) -> Path:
        return await self.work.ask(self._export, session, format, folder, metadata)

    def _export(self, session: str, format: Format, folder: Path, metadata: bool) -> Path:
        events = self._log.events(session)
        cases = [event.case for event in events if event.kind == "image" and event.case is not None]
        pictures = {case: self._pictures.find(session, case) for case in cases}
        return write(self._log.info(session), events, pictures, format, folder, metadata=metadata)

    # -- readings -----------------------------------------------------------------------------------------------

    async def add(self, session: str, data: bytes, name: str) -> str:
        def joined(case: str, image: Image) -> None:
            self._log.add(session, "image", image, case=case, key=f"image/{case}")

        case, _ = await self._kept(session, data, name, joined)
        return case

    async def bring(self, session: str, data: bytes, name: str, *, in_turn: bool) -> str:
        def joined(case: str, image: Image) -> Started:
            return self._log.join(session, case, image, PLAIN, self._owner.name)

        case, reading = await self._kept(session, data, name, joined)
        carried = self._in_turn(reading) if in_turn else self._carry_on(reading)
        self.work.start(session, carried, reading.id)
        return case

    async def _kept(self, session: str, data: bytes, name: str, joined: Callable[[str, Image], T]) -> tuple[str, T]:
        """Stores a picture and calls ``joined``; returns the case id and the result of ``joined``."""
        await self.work.ask(self._log.info, session)
        case, image = await self.work.ask(self._pictures.keep, session, data, name)
        try:
            return case, await self.work.write(joined, case, image)
        except SessionsFull:
            raise
        except SessionError:  # deleted in the meantime
            await self.work.ask(self._pictures.delete, session)
            raise

    async def read(self, session: str, case: str, how: How) -> str:
        check(how, self._panel.agents, self._panel.taking_hints)
        await self.work.ask(self._pictures.find, session, case)
        reading = await self.work.ask(self._log.begin, session, case, how, self._owner.name)
        self.work.start(session, self._carry_on(reading), reading.id)
        return reading.id

    async def stop(self, session: str) -> None:
        readings = await self.work.ask(self._log.readings, session)
        going_on = {task.get_name(): task for task in self.work.going_on(session)}
        stopped = [one for one in readings if one.progress == "running" and one.id in going_on]
        await cancelled([going_on[one.id] for one in stopped])
        for one in stopped:
            await self._add(one, "failed", Failed(problem=STOPPED), progress="ended")

    async def where(self, session: str, case: str, label: str | None) -> Attribution:
        seen = (await self._standing(session, case)).cases.get(case)
        if seen is None or not seen.verdicts:
            raise SessionError("there is no verdict on this image yet: wait for it, or read it again")
        return await mapped(self._panel, seen.verdicts[-1], label)

    async def _in_turn(self, reading: Started) -> None:
        """Runs a reading after the earlier queued readings of its session."""
        async with self._turns.setdefault(reading.session, asyncio.Lock()):
            await self._carry_on(reading)

    async def _carry_on(self, reading: Started) -> None:
        try:
            case = await self._case(reading.session, reading.case)
            seats = seated(reading.how, await self._panel.seats(case, k=reading.how.k))
            async with aclosing(self._readings.follow(reading.id, case, seats)) as steps:
                async for step in steps:
                    await self._tell(reading, step)
        except Exception as error:  # noqa: BLE001 - recorded in the session
            try:
                await self._add(reading, "failed", Failed(problem=_told(error)), key="failed", progress="ended")
            except SessionError:  # deleted in the meantime by another process
                await self._readings.forget(reading.id)

    async def _tell(self, reading: Started, step: ReadingStep) -> None:
        match step.what:
            case Opened(round=round_, agents=agents):
                await self._add(reading, "asked", Asked(round=round_, agents=agents, how=reading.how), key=step.key)
            case Evidence():
                await self._add(reading, "evidence", step.what, key=step.key)
            case ReadingEnd(verdict=verdict, waits=waits):
                ended: Progress | None = None if waits else "ended"
                await self._add(reading, "verdict", verdict, key="verdict", progress=ended)
                if waits:
                    await self._add(reading, "waiting", _wait(reading, verdict), key="waiting", progress="waiting")
            case _:
                await self._add(reading, "answer", step.what, key=step.key)

    async def _case(self, session: str, case: str) -> Case:
        path = await self.work.ask(self._pictures.find, session, case)
        return Case(id=case, path=path, source=name_of(await self.work.ask(self._log.events, session), case))

    # -- conversation -------------------------------------------------------------------------------------------

    async def say(self, session: str, text: str, case: str | None, reviewer: str) -> None:
        reviewer = person(reviewer)
        if case is not None:
            await self.work.ask(self._pictures.find, session, case)
        about = case or talked_about(await self.work.ask(self._log.events, session))
        said = await self.work.write(self._log.add, session, "said", Said(text=text), case=about)
        self.work.start(session, self._answer(session, text, about, reviewer, None if said is None else said.seq))

    async def complete(self, session: str, text: str, case: str | None) -> list[LineCompletion]:
        events = await self.work.ask(self._log.events, session)
        unseen = Path()  # completion needs only names, so no pictures are fetched
        return complete(text, await asyncio.to_thread(standing_of, self._panel, events, lambda _: unseen, case))

    async def _answer(self, session: str, text: str, about: str | None, reviewer: str, said: int | None) -> None:
        """Records the reply and carries out its orders; errors are recorded in the session."""
        key = f"answer/{secrets.token_hex(8)}"  # makes repeated writes of the reply idempotent
        async with self._talking.setdefault(session, asyncio.Lock()):
            try:
                answered = await self._talk(text, await self._standing(session, about, said))
                about, reply = await self._switched(session, answered, about)
                if reply is not None:
                    await self.work.write(self._log.add, session, "reply", reply, case=about, key=key)
                for order in answered.orders:
                    await self._obey(session, order, about, reviewer)
            except Exception as error:  # noqa: BLE001 - recorded in the session
                await self.work.write(self._log.add, session, "failed", Failed(problem=_told(error)), case=about)

    async def _switched(self, session: str, answered: Response, about: str | None) -> tuple[str | None, Reply | None]:
        """Applies a switch to another image; returns the current image and the reply."""
        to = [order.case for order in answered.orders if isinstance(order, Switch)]
        if not to:
            return about, answered.reply
        case = await self._case(session, to[-1])
        return case.id, answered.reply or Reply(blocks=(Text(lines=(f"Now about {case.source}.",)),))

    async def _obey(self, session: str, order: Order, about: str | None, reviewer: str) -> None:
        match order:
            case Undo():
                async with self._decision(session):
                    await self._decisions.undo(session, reviewer)
            case Read(how=how):
                await self.read(session, _some(about), how)
            case Confirm(label=label, note=note):
                async with self._decision(session):
                    await self._decisions.confirm(session, _some(about), label, reviewer, note)

    async def _standing(self, session: str, about: str | None, said: int | None = None) -> Standing:
        events = await self.work.ask(self._log.events, session)
        return await self.work.ask(
            standing_of, self._panel, events, lambda case: self._pictures.find(session, case), about, said
        )

    # -- decisions ----------------------------------------------------------------------------------------------

    async def decide(self, session: str, reading: str, label: str, reviewer: str, note: str) -> None:
        started = await self.work.ask(self._log.reading, session, reading)
        async with self._decision(session):
            await self._decisions.confirm(session, started.case, label, person(reviewer), note, reading)

    # -- helpers ------------------------------------------------------------------------------------------------

    async def _add(
        self, reading: Started, kind: Kind, data: Record, key: str | None = None, progress: Progress | None = None
    ) -> None:
        await self.work.write(
            self._log.add,
            reading.session,
            kind,
            data,
            case=reading.case,
            reading=reading.id,
            key=None if key is None else f"{reading.id}/{key}",
            progress=None if progress is None else {reading.id: progress},
        )

    def _decision(self, session: str) -> asyncio.Lock:
        return self._deciding.setdefault(session, asyncio.Lock())


def _wait(reading: Started, verdict: Verdict) -> Waiting:
    return Waiting(
        session=reading.session,
        case=reading.case,
        reading=reading.id,
        name=verdict.case.source,
        leaning=verdict.label,
        reasons=(*verdict.decision.reasons, *(("read with a hint",) if reading.how.hint else ())),
        since=datetime.now(UTC),
    )


def _some(case: str | None) -> str:
    if case is None:
        raise SessionError("there is no image in this session yet: add one")
    return case


def _told(error: Exception) -> str:
    if isinstance(error, sqlite3.Error):  # the steps of a reading could not be stored
        return f"the reading could not be stored ({error}): free space or check the disk, then read it again"
    return str(error) if isinstance(error, DoublereadError) else f"{type(error).__name__}: {error}"[:300]
