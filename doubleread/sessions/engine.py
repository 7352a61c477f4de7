"""Inspection sessions: images, the panel's readings of them, the conversation, and a person's decisions.

A referred case waits for a person as long as needed, and any process can record the decision.
"""

import sqlite3
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from doubleread.core.attribution import Attribution
from doubleread.core.background import Background
from doubleread.core.errors import SessionError
from doubleread.panel import Panel
from doubleread.sessions._desk import Desk
from doubleread.sessions._storage import Storage, Stored
from doubleread.sessions.completion import LineCompletion
from doubleread.sessions.export import Format
from doubleread.sessions.manner import PLAIN
from doubleread.sessions.record import Event, How, SessionInfo, Waiting
from doubleread.sessions.standing import Talk
from doubleread.sessions.talk import answer

P = ParamSpec("P")
T = TypeVar("T")


class Sessions:
    """The sessions of one folder or database, read by one panel.

    Methods can be called from any event loop: work runs on a loop of its own and continues if a caller is cancelled.
    Several processes may open the same storage; each sees the others' writes within a second. A reading that a process
    left unfinished is continued by the next one that opens the storage.

    All methods raise ``SessionError`` for an unknown session, image or reading, and ``SessionsAway`` while the database
    is unreachable; running readings and replies wait for it. ``SessionsFull`` means that the disk is full; what was
    stored before is kept.

    Examples:
        >>> import asyncio
        >>> from pathlib import Path
        >>> from doubleread.sessions.engine import Sessions
        >>> async def read_one():
        ...     sessions = Sessions(panel, Path("sessions"))
        ...     session = await sessions.create("row 4")
        ...     case = await sessions.add(session.id, Path("leaf.jpg").read_bytes(), "leaf.jpg")
        ...     await sessions.read(session.id, case)
        ...     await sessions.settled(session.id)
        ...     kinds = [event.kind for event in await sessions.events(session.id)]
        ...     await sessions.close()
        ...     return kinds
        >>> "verdict" in asyncio.run(read_one())
        True
    """

    def __init__(self, panel: Panel, folder: Path, talk: Talk = answer, database: str = "") -> None:
        """Opens the folder, or creates it. Raises ``SessionError`` if it, or the database, cannot be used.

        ``talk`` answers messages. With a ``database`` (``postgresql://USER@HOST/NAME``, password in ``PGPASSWORD`` or
        ``~/.pgpass``) everything is stored there, and the folder holds copies of pictures.
        """
        self._home, self._closed = Background(), False
        self._desk = Desk(panel, folder.absolute(), talk, database)
        try:
            self._home.call(self._desk.open)
        except (OSError, sqlite3.Error) as error:
            self._home.close()
            raise SessionError(
                f"the sessions in {folder} cannot be opened ({error}): check the folder, or name another"
            ) from None
        except SessionError:
            self._home.close()
            raise

    async def create(self, title: str = "") -> SessionInfo:
        """Creates a session."""
        return await self._write(self._store.log.create, title)

    async def listed(self) -> list[SessionInfo]:
        """Returns all sessions, the last changed first."""
        return await self._ask(self._store.log.listed)

    async def rename(self, session: str, title: str) -> SessionInfo:
        """Changes the title of a session."""
        return await self._write(self._store.log.rename, session, title)

    async def delete(self, session: str) -> None:
        """Deletes a session with its events, readings and pictures; confirmed cases stay in the archive."""
        await self._home.run(self._desk.delete, session)

    async def own(self, session: str, person: str) -> None:
        """Assigns a session to a person, for servers that show users only their own."""
        await self._ask(self._store.log.own, session, person)

    async def people(self) -> dict[str, str]:
        """Returns the owner of each session that has one."""
        return await self._ask(self._store.log.people)

    async def enter(self, login: str) -> None:
        """Stores a browser's login, a hash that only this browser can produce."""
        await self._ask(self._store.logins.enter, login)

    async def entered(self, login: str) -> bool:
        """Whether a login is valid: not ended, and not expired."""
        return await self._ask(self._store.logins.entered, login)

    async def leave(self, login: str) -> None:
        """Ends a login."""
        await self._ask(self._store.logins.leave, login)

    async def stored(self) -> Stored:
        """Returns the space that pictures use, and the free space."""
        return await self._ask(self._store.stored)

    async def add(self, session: str, data: bytes, name: str) -> str:
        """Adds a picture to the session and returns its case id. The same picture is added only once.

        ``name`` is for display only. Raises ``ImageError`` for bytes that cannot be read as an image.
        """
        return await self._home.run(self._desk.add, session, data, name)

    async def bring(self, session: str, data: bytes, name: str, *, in_turn: bool = False) -> str:
        """Calls ``add`` and ``read`` in one step: when it returns, both are stored, and the reading survives a crash.

        Readings started with ``in_turn`` run one after the other.
        """
        return await self._home.run(self._desk.bring, session, data, name, in_turn=in_turn)

    async def read(self, session: str, case: str, how: How = PLAIN) -> str:
        """Starts reading an image in the background and returns the reading's id.

        Progress and errors are reported as events. Raises ``UnknownPart`` for an agent that is not in the panel,
        ``SessionError`` if no agent would be asked, or none of those asked takes the hint.
        """
        return await self._home.run(self._desk.read, session, case, how)

    async def where(self, session: str, case: str, label: str | None = None) -> Attribution:
        """Returns where the local agents' probability of a label (default: the most likely one) rests in an image.

        This is not recorded as an event. Raises ``TaskError`` for an unknown label.
        """
        return await self._home.run(self._desk.where, session, case, label)

    async def say(self, session: str, text: str, case: str | None = None, reviewer: str = "") -> None:
        """Sends a person's message about an image (default: the one last talked about); the reply is an event.

        ``reviewer`` is the speaker: decisions made by the message are recorded under that name.
        """
        await self._home.run(self._desk.say, session, text, case, reviewer)

    async def complete(self, session: str, text: str, case: str | None = None) -> list[LineCompletion]:
        """Completes a message about an image (default: the one last talked about)."""
        return await self._home.run(self._desk.complete, session, text, case)

    async def decide(self, session: str, reading: str, label: str, reviewer: str = "", note: str = "") -> None:
        """Records a person's decision on a reading's image, ends its waiting readings, and confirms it to the panel.

        An earlier decision on the image is undone. Raises ``TaskError`` for an unknown label.
        """
        await self._home.run(self._desk.decide, session, reading, label, reviewer, note)

    async def events(self, session: str, after: int = 0) -> list[Event]:
        """Returns the events after number ``after``."""
        return await self._ask(self._store.log.events, session, after)

    async def follow(self, session: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """Yields the events after number ``after``, then new ones as they occur, until the session is deleted."""
        events = await self.events(session, after)
        while True:
            for event in events:
                yield event
                after = event.seq
            try:
                events = await self._home.run(self._desk.next_events, session, after)
            except SessionError:
                return

    async def settled(self, session: str) -> None:
        """Waits until all messages are answered and carried out, and this process runs no reading of the session.

        Raises ``SessionsFull`` if the disk is full; writing is retried until it succeeds.
        """
        await self._home.run(self._desk.work.settled, session)

    async def stop(self, session: str) -> None:
        """Cancels the readings that this process runs. Answers so far are kept, and an event records the end."""
        await self._home.run(self._desk.stop, session)

    async def waiting(self) -> list[Waiting]:
        """Returns the work list: readings of all sessions that wait for a person, oldest first."""
        return await self._ask(self._store.log.waiting)

    async def decisions(self, n: int = 20) -> list[Event]:
        """Returns the last ``n`` decisions that were not undone, over all sessions, latest first."""
        return await self._ask(self._store.log.decisions, n)

    async def picture(self, session: str, case: str) -> Path:
        """Returns the file of an image."""
        return await self._ask(self._store.pictures.find, session, case)

    async def export(self, session: str, format: Format, folder: Path, *, metadata: bool = False) -> Path:
        """Writes a session and its pictures into a folder; returns the path of the document.

        An HTML document works without the pictures. These are copies without metadata (place, owner, device) unless
        ``metadata`` is true. Raises ``SessionError`` if the folder cannot be written.
        """
        return await self._home.run(self._desk.export, session, format, folder, metadata=metadata)

    @property
    def _store(self) -> Storage:
        return self._desk.storage

    async def _ask(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._home.run(lambda: self._desk.work.ask(work, *args, **kwargs))

    async def _write(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._home.run(lambda: self._desk.work.write(work, *args, **kwargs))

    async def close(self) -> None:
        """Stops; unfinished readings continue at the next start. Further calls do nothing."""
        if not self._closed:
            self._closed = True
            await self._home.run(self._desk.close)
            self._home.close()
