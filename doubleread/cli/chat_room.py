"""A session as someone at a terminal has it before them: what they say is done, and what happens is shown."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from doubleread.cli.chat_show import Show
from doubleread.core.case import MAX_IMAGE_BYTES
from doubleread.core.errors import DoublereadError, FileError, SessionError, SessionsFull
from doubleread.core.safe_files import read_bytes
from doubleread.core.terminal_text import harmless
from doubleread.panel import Panel
from doubleread.sessions.actions.action import Intent
from doubleread.sessions.engine import Sessions
from doubleread.sessions.record import Event, Waiting
from doubleread.sessions.standing import Standing, name_of, standing_of, talked_about
from doubleread.sessions.talk import act

TITLE_LENGTH = 60


class Room:
    """One session at a time, made when there is something to put into it."""

    def __init__(self, sessions: Sessions, panel: Panel, show: Show, reviewer: str = "") -> None:
        self.sessions, self.panel, self.show = sessions, panel, show
        self.reviewer = reviewer
        """Under whose name decisions go on record."""
        self.id: str | None = None
        self.failed = False
        """Whether something could not be read, understood or done."""
        self.over = False
        """Whether the person has left."""
        self.events: list[Event] = []
        self._pictures: dict[str, Path] = {}
        self._about: str | None = None
        """The image that was taken up and not talked about yet."""
        self._known: tuple[int, Standing] | None = None
        """What is known, and after how many events."""

    # -- what one does ------------------------------------------------------------------------------------------

    async def bring(self, images: Iterable[Path]) -> None:
        """Adds images and reads them, one after the other; those that cannot be read are told.

        All are stored before any is shown: what is not reached when the program ends is read at the next start.
        """
        for place, path in enumerate(named := list(images)):
            try:
                data = await asyncio.to_thread(read_bytes, path, limit=MAX_IMAGE_BYTES)
                session = await self._made(path.name)
                await self.sessions.bring(session, data, path.name, in_turn=True)
            except FileError as error:
                self.fail(str(error))
            except SessionsFull as error:
                more = f" and {len(named) - place - 1} more" if len(named) - place > 1 else ""
                self.fail(f"{path}{more} not stored; those before are kept: {error}")
                break
            except DoublereadError as error:
                self.fail(f"{path}: {error}")
        try:
            await self.watch()
        except SessionsFull as error:
            self.fail(str(error))

    async def stop(self) -> None:
        """Gives up the readings that go on, and waits for nothing else."""
        if self.id is not None:
            await self.sessions.stop(self.id)
            await self._catch_up(self.id)

    # -- which session ------------------------------------------------------------------------------------------

    async def resume(self, session: str) -> None:
        """Takes up a session where it was left, and shows what is in it. Raises ``SessionError`` for an unknown one."""
        await self._open(session)
        info = next(one for one in await self.sessions.listed() if one.id == session)
        self.show.sessions([info])
        if self.standing.cases:
            recap = await act(Intent(command="images"), self.standing)
            if recap.reply is not None:
                self.show.reply(recap.reply)
        await self.watch()

    async def show_work(self) -> None:
        """The work list; the one that waits longest is taken up."""
        waiting = await self.sessions.waiting()
        self.show.work(waiting)
        if waiting:
            self.tell_who()
            await self.take_up(waiting[0])

    def tell_who(self) -> None:
        """Who is deciding."""
        self.show.hint(f"decisions go on record {f'as by {self.reviewer}' if self.reviewer else 'without a name'}")

    async def take_up(self, one: Waiting) -> None:
        """An image that waits for a decision is before the person, with its verdict."""
        if one.session != self.id:
            await self._open(one.session)
        self._about = one.case
        for event in self.events:
            if event.reading == one.reading and event.kind == "verdict":
                self._tell(event)

    async def _open(self, session: str) -> None:
        self.leave()
        for event in await self.sessions.events(session):
            await self._remember(session, event)
        self.id = session

    def leave(self) -> None:
        """No session is before the person; what comes next begins another."""
        self.id, self.events, self._pictures, self._about, self._known = None, [], {}, None, None

    async def _made(self, title: str) -> str:
        if self.id is None:
            self.id = (await self.sessions.create(harmless(title)[:TITLE_LENGTH])).id
        return self.id

    # -- what is known ------------------------------------------------------------------------------------------

    @property
    def current(self) -> str | None:
        """The image that is talked about."""
        return self._about or talked_about(self.events)

    @property
    def current_name(self) -> str:
        """What it is called; empty without one."""
        return "" if self.current is None else harmless(name_of(self.events, self.current))

    @property
    def standing(self) -> Standing:
        """What one may talk about."""
        if self._known is None or self._known[0] != len(self.events) or self._known[1].current != self.current:
            made = standing_of(self.panel, self.events, self._pictures.__getitem__, self.current)
            self._known = (len(self.events), made)
        return self._known[1]

    def session(self) -> str:
        """The session; raises ``SessionError`` where there is none yet."""
        if self.id is None:
            raise SessionError("there is no session yet: add an image first")
        return self.id

    # -- what is shown ------------------------------------------------------------------------------------------

    def fail(self, problem: str) -> None:
        """What could not be done."""
        self.failed = True
        self.show.problem(problem)

    async def say(self, text: str) -> None:
        """Sends a message about the current image to the session, and shows what comes of it."""
        session = await self._made(text)
        await self.sessions.say(session, text, self._about, self.reviewer)
        self._about = None
        await self.watch()

    async def watch(self) -> None:
        """Shows what happens until nothing goes on any more."""
        if self.id is None:
            return
        with self.show.busy():
            following = asyncio.create_task(self._follow(self.id))
            try:
                await self.sessions.settled(self.id)
            finally:
                following.cancel()
                with suppress(asyncio.CancelledError):
                    await following
            await self._catch_up(self.id)

    async def _catch_up(self, session: str) -> None:
        for event in await self.sessions.events(session, len(self.events)):
            await self._take_in(session, event)

    async def _follow(self, session: str) -> None:
        async for event in self.sessions.follow(session, len(self.events)):
            await self._take_in(session, event)

    async def _take_in(self, session: str, event: Event) -> None:
        await self._remember(session, event)
        self.failed |= event.kind == "failed" or (event.kind == "reply" and event.data.get("refused", False))
        self._tell(event)

    async def _remember(self, session: str, event: Event) -> None:
        if event.kind == "image" and event.case is not None:
            self._pictures[event.case] = await self.sessions.picture(session, event.case)
        self.events.append(event)

    def _tell(self, event: Event) -> None:
        self.show.event(event, self._pictures.get(event.case or ""))
