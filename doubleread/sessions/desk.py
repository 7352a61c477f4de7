"""What happens at an inspection desk: pictures come in and are read, people talk and decide. All on one event loop."""

import asyncio
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from doubleread.core.attribution import Attribution
from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.errors import DoublereadError, NotConfirmed, SessionError, SessionsAway, SessionsFull
from doubleread.core.evidence import Evidence
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.sessions.bell import LISTEN_S, Bell
from doubleread.sessions.completion import Completion, complete
from doubleread.sessions.export import Format, write
from doubleread.sessions.home import kind_of
from doubleread.sessions.log import Progress, Started
from doubleread.sessions.manner import PLAIN, check, seated
from doubleread.sessions.mapping import mapped
from doubleread.sessions.people import person
from doubleread.sessions.readings import Ended, Opened, Step
from doubleread.sessions.record import (
    Asked,
    Confirm,
    Decided,
    Event,
    Failed,
    How,
    Kind,
    Order,
    Read,
    Reply,
    Said,
    SessionInfo,
    Switch,
    Text,
    Undo,
    Undone,
    Waiting,
)
from doubleread.sessions.standing import Answered, Standing, Talk
from doubleread.sessions.storage import open_storage
from doubleread.sessions.telling import last_decision, name_of, standing_of, talked_about

STOPPED = "the reading was stopped before its end: read the image again for a verdict"
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Stored:
    """What the sessions take up."""

    bytes: Mapping[str, int]
    """Of the pictures, by session."""
    free: int
    """Bytes that the disk has left."""


class Desk:
    """The sessions of a folder. ``open`` comes first, ``close`` last; see ``engine.Sessions`` for what each does."""

    def __init__(self, panel: Panel, folder: Path, talk: Talk, database: str) -> None:
        self._panel, self._folder, self._talk, self._database = panel, folder, talk, database
        self._tasks: dict[asyncio.Task[None], str] = {}
        """What goes on in the background, and in which session."""
        self._talking: dict[str, asyncio.Lock] = {}
        """By session: replies come in the order of what was said."""
        self._deciding: dict[str, asyncio.Lock] = {}
        """By session: one decides at a time."""
        self._turns: dict[str, asyncio.Lock] = {}
        """By session: readings that are to come one after the other."""
        self._full: dict[str, str] = {}
        """By session: what the disk does not take; it is tried again until it does."""
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        """Opens the files, and goes on with readings that another process began and did not end."""
        async with AsyncExitStack() as opening:
            opening.push_async_callback(self._stack.aclose)
            await self._open()
            opening.pop_all()

    async def _open(self) -> None:
        storage = await self._stack.enter_async_context(open_storage(self._folder, self._database))
        self._log, self._pictures, self._readings = storage.log, storage.pictures, storage.readings
        self._log.belong(kind_of(self._panel))
        self._owner, self._logins, self._place = storage.owner, storage.logins, storage.folder
        self._bell = Bell()
        self._listening = asyncio.create_task(self._bell.listen(lambda: self._log.version, self._pictures.sweep))
        for owner in filter(self._owner.gone, self._log.owners()):
            for reading in self._log.take_over(owner, self._owner.name):
                self._start(reading.session, self._carry_on(reading), reading.id)

    async def close(self) -> None:
        """Stops; what was going on is gone on with at the next start."""
        await _cancelled([*self._tasks, self._listening])
        await self._stack.aclose()

    # -- sessions -----------------------------------------------------------------------------------------------

    async def create(self, title: str) -> SessionInfo:
        return await self._write(self._log.create, title)

    async def listed(self) -> list[SessionInfo]:
        return await self._ask(self._log.listed)

    async def rename(self, session: str, title: str) -> SessionInfo:
        return await self._write(self._log.rename, session, title)

    async def own(self, session: str, person: str) -> None:
        await self._ask(self._log.own, session, person)

    async def people(self) -> dict[str, str]:
        return await self._ask(self._log.people)

    async def enter(self, login: str) -> None:
        await self._ask(self._logins.enter, login)

    async def entered(self, login: str) -> bool:
        return await self._ask(self._logins.entered, login)

    async def leave(self, login: str) -> None:
        await self._ask(self._logins.leave, login)

    async def stored(self) -> Stored:
        return await self._ask(lambda: Stored(self._pictures.sizes(), shutil.disk_usage(self._place).free))

    async def delete(self, session: str) -> None:
        readings = await self._ask(self._log.readings, session)
        await self._ask(self._log.info, session)
        await _cancelled(self._going_on(session))
        for reading in readings:
            await self._readings.forget(reading.id)
        await self._ask(self._pictures.delete, session)
        await self._write(self._log.delete, session)
        for locks in (self._talking, self._deciding, self._turns):
            locks.pop(session, None)

    async def events(self, session: str, after: int) -> list[Event]:
        return await self._ask(self._log.events, session, after)

    async def next_events(self, session: str, after: int) -> list[Event]:
        """Waits until there are some."""
        while True:
            bell = self._bell.next
            with suppress(SessionsAway):  # it rings when the database is back
                if found := await self.events(session, after):
                    return found
            await bell.wait()

    async def settled(self, session: str) -> None:
        while tasks := self._going_on(session):
            await asyncio.wait(tasks, timeout=LISTEN_S)
            if session in self._full:
                raise SessionsFull(self._full[session])

    async def waiting(self) -> list[Waiting]:
        return await self._ask(self._log.waiting)

    async def decisions(self, n: int) -> list[Event]:
        return await asyncio.to_thread(self._log.decisions, n)

    async def picture(self, session: str, case: str) -> Path:
        return await self._ask(self._pictures.find, session, case)

    async def export(self, session: str, format: Format, folder: Path, *, metadata: bool) -> Path:
        return await self._ask(self._export, session, format, folder, metadata)

    def _export(self, session: str, format: Format, folder: Path, metadata: bool) -> Path:
        events = self._log.events(session)
        cases = [event.case for event in events if event.kind == "image" and event.case is not None]
        pictures = {case: self._pictures.find(session, case) for case in cases}
        return write(self._log.info(session), events, pictures, format, folder, metadata=metadata)

    # -- reading ------------------------------------------------------------------------------------------------

    async def add(self, session: str, data: bytes, name: str) -> str:
        await self._ask(self._log.info, session)
        case, image = await self._ask(self._pictures.keep, session, data, name)
        try:
            await self._write(self._log.add, session, "image", image, case=case, key=f"image/{case}")
        except SessionsFull:
            raise
        except SessionError:  # deleted meanwhile
            await self._ask(self._pictures.delete, session)
            raise
        return case

    async def bring(self, session: str, data: bytes, name: str, *, in_turn: bool) -> str:
        await self._ask(self._log.info, session)
        case, image = await self._ask(self._pictures.keep, session, data, name)
        try:
            reading = await self._write(self._log.join, session, case, image, PLAIN, self._owner.name)
        except SessionsFull:
            raise
        except SessionError:  # deleted meanwhile
            await self._ask(self._pictures.delete, session)
            raise
        carried = self._in_turn(reading) if in_turn else self._carry_on(reading)
        self._start(session, carried, reading.id)
        return case

    async def read(self, session: str, case: str, how: How) -> str:
        check(how, self._panel.agents, self._panel.taking_hints)
        await self.picture(session, case)
        reading = await self._ask(self._log.begin, session, case, how, self._owner.name)
        self._start(session, self._carry_on(reading), reading.id)
        return reading.id

    async def stop(self, session: str) -> None:
        readings = await self._ask(self._log.readings, session)
        going_on = {task.get_name(): task for task in self._going_on(session)}
        stopped = [one for one in readings if one.progress == "running" and one.id in going_on]
        await _cancelled([going_on[one.id] for one in stopped])
        for one in stopped:
            await self._add(one, "failed", Failed(problem=STOPPED), progress="ended")

    async def where(self, session: str, case: str, label: str | None) -> Attribution:
        seen = (await self._standing(session, case)).cases.get(case)
        if seen is None or not seen.verdicts:
            raise SessionError("there is no verdict on this image yet: wait for it, or read it again")
        return await mapped(self._panel, seen.verdicts[-1], label)

    async def _in_turn(self, reading: Started) -> None:
        """The same, after those of the session that were to come before it."""
        async with self._turns.setdefault(reading.session, asyncio.Lock()):
            await self._carry_on(reading)

    async def _carry_on(self, reading: Started) -> None:
        """A reading from where it is to its end; what goes wrong with it is told in the session."""
        try:
            case = await self._case(reading.session, reading.case)
            seats = seated(reading.how, await self._panel.seats(case, k=reading.how.k))
            async with aclosing(self._readings.follow(reading.id, case, seats)) as steps:
                async for step in steps:
                    await self._tell(reading, step)
        except Exception as error:  # noqa: BLE001 - told in the session
            try:
                await self._add(reading, "failed", Failed(problem=_told(error)), key="failed", progress="ended")
            except SessionError:  # deleted meanwhile, by another process
                await self._readings.forget(reading.id)

    async def _tell(self, reading: Started, step: Step) -> None:
        match step.what:
            case Opened(round=round_, agents=agents):
                await self._add(reading, "asked", Asked(round=round_, agents=agents, how=reading.how), key=step.key)
            case Evidence():
                await self._add(reading, "evidence", step.what, key=step.key)
            case Ended(verdict=verdict, waits=waits):
                ended: Progress | None = None if waits else "ended"
                await self._add(reading, "verdict", verdict, key="verdict", progress=ended)
                if waits:
                    await self._add(reading, "waiting", _wait(reading, verdict), key="waiting", progress="waiting")
            case _:
                await self._add(reading, "answer", step.what, key=step.key)

    async def _case(self, session: str, case: str) -> Case:
        path = await self.picture(session, case)
        return Case(id=case, path=path, source=name_of(await self.events(session, 0), case))

    # -- talking ------------------------------------------------------------------------------------------------

    async def say(self, session: str, text: str, case: str | None, reviewer: str) -> None:
        reviewer = person(reviewer)
        if case is not None:
            await self.picture(session, case)
        about = case or talked_about(await self.events(session, 0))
        said = await self._write(self._log.add, session, "said", Said(text=text), case=about)
        self._start(session, self._answer(session, text, about, reviewer, None if said is None else said.seq))

    async def complete(self, session: str, text: str, case: str | None) -> list[Completion]:
        events = await self.events(session, 0)
        unseen = Path()  # names are enough: no picture is fetched while somebody types
        return complete(text, await asyncio.to_thread(standing_of, self._panel, events, lambda _: unseen, case))

    async def _answer(self, session: str, text: str, about: str | None, reviewer: str, said: int | None) -> None:
        """The reply to someone's words, and what they order; what goes wrong is told in the session."""
        key = f"answer/{secrets.token_hex(8)}"  # the reply joins once, however often it is written
        async with self._talking.setdefault(session, asyncio.Lock()):
            try:
                answered = await self._talk(text, await self._standing(session, about, said))
                about, reply = await self._switched(session, answered, about)
                if reply is not None:
                    await self._write(self._log.add, session, "reply", reply, case=about, key=key)
                for order in answered.orders:
                    await self._obey(session, order, about, reviewer)
            except Exception as error:  # noqa: BLE001 - told in the session
                await self._write(self._log.add, session, "failed", Failed(problem=_told(error)), case=about)

    async def _switched(self, session: str, answered: Answered, about: str | None) -> tuple[str | None, Reply | None]:
        """The image that is talked about then, and the reply: that which says so."""
        to = [order.case for order in answered.orders if isinstance(order, Switch)]
        if not to:
            return about, answered.reply
        case = await self._case(session, to[-1])
        return case.id, answered.reply or Reply(blocks=(Text(lines=(f"Now about {case.source}.",)),))

    async def _obey(self, session: str, order: Order, about: str | None, reviewer: str) -> None:
        """Carries an order out."""
        match order:
            case Undo():
                async with self._decision(session):
                    await self._undo(session, reviewer)
            case Read(how=how):
                await self.read(session, _some(about), how)
            case Confirm(label=label, note=note):
                async with self._decision(session):
                    await self._confirm(session, _some(about), label, reviewer, note)

    async def _standing(self, session: str, about: str | None, said: int | None = None) -> Standing:
        events = await self.events(session, 0)
        return await self._ask(
            standing_of, self._panel, events, lambda case: self._pictures.find(session, case), about, said
        )

    # -- deciding -----------------------------------------------------------------------------------------------

    async def decide(self, session: str, reading: str, label: str, reviewer: str, note: str) -> None:
        started = await self._ask(self._log.reading, session, reading)
        async with self._decision(session):
            await self._confirm(session, started.case, label, person(reviewer), note, reading)

    async def _confirm(
        self, session: str, case: str, label: str, reviewer: str, note: str, reading: str | None = None
    ) -> None:
        """Keeps what is true of an image, and ends the readings of it that wait; an earlier decision is undone."""
        self._panel.task.index(label)
        standing, read = await self._standing(session, case), await self._ask(self._log.readings, session)
        ended = [one for one in read if one.case == case and one.progress != "running"]
        if not standing.cases[case].verdicts:
            raise SessionError(f"{standing.cases[case].name} has no verdict yet that could be decided on: wait for it")
        events = await self.events(session, 0)
        if (earlier := last_decision(events, case)) is not None:
            await self._take_back(session, earlier, reviewer)
        kept = await asyncio.to_thread(self._keep, events, ended, standing.cases[case].case, label, reviewer, note)
        decided = Decided(label=label, reviewer=reviewer, note=note, kept=kept)
        about = reading or ended[-1].id
        waited: dict[str, Progress] = {one.id: "ended" for one in ended if one.progress == "waiting"}
        await self._write(self._log.add, session, "decided", decided, case=case, reading=about, progress=waited)
        for one in waited:
            await self._readings.decide(one, decided.model_dump(mode="json"))

    def _keep(
        self, events: Sequence[Event], ended: Sequence[Started], case: Case, label: str, reviewer: str, note: str
    ) -> str:
        """Confirms to the panel; returns why that could not be, or nothing.

        The panel's record is of verdicts that were read as it was fitted: those with other settings say nothing of it.
        """
        plain = {one.id for one in ended if one.how == PLAIN}
        verdicts = [e.data for e in events if e.kind == "verdict" and e.reading in plain]
        if not verdicts:
            return "the image was read with other settings only: read it as the panel was fitted, then confirm"
        verdict = Verdict.model_validate(verdicts[-1]).model_copy(update={"case": case})
        try:
            self._panel.confirm(verdict, label, reviewer=reviewer, note=note)
        except DoublereadError as error:
            return str(error)
        return ""

    async def _undo(self, session: str, reviewer: str) -> None:
        decision = last_decision(await self.events(session, 0))
        if decision is None:
            raise SessionError("nothing was confirmed or decided in this session that could be undone")
        await self._take_back(session, decision, reviewer)

    async def _take_back(self, session: str, decision: Event, reviewer: str) -> None:
        """A decision counts no more; what waited for it waits again."""
        case, decided = _some(decision.case), Decided.model_validate(decision.data)
        if not decided.kept:
            await asyncio.to_thread(self._retract, case, reviewer)
        events = await self.events(session, 0)
        undone = Undone(seq=decision.seq, what=f"{name_of(events, case)} is {decided.label}", reviewer=reviewer)
        again: dict[str, Progress] = {
            e.reading: "waiting" for e in events if e.kind == "waiting" and e.case == case and e.reading is not None
        }
        await self._write(self._log.add, session, "undone", undone, case=case, reading=decision.reading, progress=again)

    def _retract(self, case: str, reviewer: str) -> None:
        with suppress(NotConfirmed):  # somebody else has taken it back already
            self._panel.retract(case, reviewer=reviewer)

    # -- everything else ----------------------------------------------------------------------------------------

    async def _add(
        self, reading: Started, kind: Kind, data: Record, key: str | None = None, progress: Progress | None = None
    ) -> None:
        await self._write(
            self._log.add,
            reading.session,
            kind,
            data,
            case=reading.case,
            reading=reading.id,
            key=None if key is None else f"{reading.id}/{key}",
            progress=None if progress is None else {reading.id: progress},
        )

    async def _write(self, write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        done = await self._ask(write, *args, **kwargs)
        self._bell.ring()
        return done

    async def _ask(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Asks the storage, in a thread. What goes on in the background waits for a database that is away or full."""
        task = asyncio.current_task()
        session = None if task is None else self._tasks.get(task)
        while True:
            try:
                done = await asyncio.to_thread(work, *args, **kwargs)
            except SessionsAway:
                if session is None:
                    raise
            except SessionsFull as error:
                if session is None:
                    raise
                self._full[session] = f"{error}. It goes on when there is space again"
            else:
                self._full.pop(session or "", None)
                return done
            await asyncio.sleep(LISTEN_S)

    def _start(self, session: str, work: Coroutine[None, None, None], name: str | None = None) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = session
        task.add_done_callback(self._tasks.pop)

    def _going_on(self, session: str) -> list[asyncio.Task[None]]:
        return [task for task, where in self._tasks.items() if where == session]

    def _decision(self, session: str) -> asyncio.Lock:
        return self._deciding.setdefault(session, asyncio.Lock())


async def _cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


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
    if isinstance(error, sqlite3.Error):  # the steps of a reading could not be kept
        return f"the reading could not be stored ({error}): free space or check the disk, then read it again"
    return str(error) if isinstance(error, DoublereadError) else f"{type(error).__name__}: {error}"[:300]
