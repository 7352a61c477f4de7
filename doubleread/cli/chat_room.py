"""The session shown in the terminal: carries out what the user types and shows what happens."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from doubleread.cli.chat_show import Show
from doubleread.core.case import MAX_IMAGE_BYTES
from doubleread.core.errors import DoublereadError, FileError, SessionError, SessionsFull
from doubleread.core.image_paths import locate
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
    """Holds one session at a time, which is created when there is something to put into it."""

    def __init__(self, sessions: Sessions, panel: Panel, show: Show, reviewer: str = "") -> None:
        self.sessions, self.panel, self.show = sessions, panel, show
        self.reviewer = reviewer
        """The name recorded with decisions."""
        self.id: str | None = None
        self.failed = False
        """Whether anything could not be read, understood or done."""
        self.over = False
        """Whether the user has left."""
        self.events: list[Event] = []
        self._pictures: dict[str, Path] = {}
        self._about: str | None = None
        """The image that was taken up and not yet talked about."""
        self._known: tuple[int, Standing] | None = None
        """The cached standing, and the number of events it was built from."""

    # -- input --------------------------------------------------------------------------------------------------

    async def bring(self, images: Iterable[Path]) -> list[str]:
        """Adds images and reads them one after the other; reports those that cannot be read.

        All are stored before any is shown: if the program ends, the rest are read at the next start. Returns the ids of
        those that were added.
        """
        added: list[str] = []
        for place, path in enumerate(named := list(images)):
            try:
                file = locate(path).path
                data = await asyncio.to_thread(read_bytes, file, limit=MAX_IMAGE_BYTES)
                session = await self._made(file.name)
                added.append(await self.sessions.bring(session, data, file.name, in_turn=True))
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
        return added

    def together(self, added: Iterable[str]) -> str:
        """The message that asks for one verdict for these images; empty for fewer than two."""
        places = [i for i, case in enumerate(self.standing.cases, start=1) if case in set(added)]
        return f"/together {', '.join(map(str, places))}" if len(places) > 1 else ""

    async def stop(self) -> None:
        """Cancels the running readings, without waiting for anything else."""
        if self.id is not None:
            await self.sessions.stop(self.id)
            await self._catch_up(self.id)

    # -- which session ------------------------------------------------------------------------------------------

    async def resume(self, session: str) -> None:
        """Resumes a session and shows what is in it. Raises ``SessionError`` if it does not exist."""
        await self._open(session)
        info = next(one for one in await self.sessions.listed() if one.id == session)
        self.show.sessions([info])
        if self.standing.cases:
            recap = await act(Intent(command="images"), self.standing)
            if recap.reply is not None:
                self.show.reply(recap.reply)
        await self.watch()

    async def show_work(self) -> None:
        """Shows the work list and takes up the reading that has waited longest."""
        waiting = await self.sessions.waiting()
        self.show.work(waiting)
        if waiting:
            self.tell_who()
            await self.take_up(waiting[0])

    def tell_who(self) -> None:
        """Shows whose name is recorded with decisions."""
        self.show.hint(f"decisions go on record {f'as by {self.reviewer}' if self.reviewer else 'without a name'}")

    async def take_up(self, one: Waiting) -> None:
        """Makes a waiting image the current one and shows its verdict."""
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
        """Leaves the current session; the next input starts a new one."""
        self.id, self.events, self._pictures, self._about, self._known = None, [], {}, None, None

    async def _made(self, title: str) -> str:
        if self.id is None:
            self.id = (await self.sessions.create(harmless(title)[:TITLE_LENGTH])).id
        return self.id

    # -- state --------------------------------------------------------------------------------------------------

    @property
    def current(self) -> str | None:
        """The image that is talked about."""
        return self._about or talked_about(self.events)

    @property
    def current_name(self) -> str:
        """Its name; empty without an image."""
        return "" if self.current is None else harmless(name_of(self.events, self.current))

    @property
    def standing(self) -> Standing:
        """The state of the session that actions refer to."""
        if self._known is None or self._known[0] != len(self.events) or self._known[1].current != self.current:
            made = standing_of(self.panel, self.events, self._pictures.__getitem__, self.current)
            self._known = (len(self.events), made)
        return self._known[1]

    def session(self) -> str:
        """Returns the session id. Raises ``SessionError`` if there is no session yet."""
        if self.id is None:
            raise SessionError("there is no session yet: add an image first")
        return self.id

    # -- output -------------------------------------------------------------------------------------------------

    def fail(self, problem: str) -> None:
        """Shows a problem and records the failure."""
        self.failed = True
        self.show.problem(problem)

    async def say(self, text: str) -> None:
        """Sends a message about the current image to the session, and shows what comes of it."""
        session = await self._made(text)
        await self.sessions.say(session, text, self._about, self.reviewer)
        self._about = None
        await self.watch()

    async def watch(self) -> None:
        """Shows events until no task of the session is running."""
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
