"""Inspection sessions: images, what the panel says of them while it reads, the talk about it, a person's decisions.

A referred case waits for a person, in any process and as long as it takes. From Python:

>>> from doubleread.sessions.engine import Sessions                       # doctest: +SKIP
>>> sessions = Sessions(panel, Path("sessions"))                          # doctest: +SKIP
>>> for one in await sessions.waiting():                                  # doctest: +SKIP
...     print(one.name, one.leaning, one.reasons)
...     await sessions.decide(one.session, one.reading, "rust", reviewer="Ada")
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

    Its methods run in any event loop: the work is done on one of its own, and goes on when a caller gives up. Several
    processes may have the same place open; what one writes, the others see within a second. A reading that a process
    did not end is carried on by the next one that opens the place.

    All methods raise ``SessionError`` for a session, image or reading that is not there, and ``SessionsAway`` while the
    database cannot be reached; readings and replies that were begun wait for it. ``SessionsFull`` says that the
    disk took no more; what was stored before is kept.
    """

    def __init__(self, panel: Panel, folder: Path, talk: Talk = answer, database: str = "") -> None:
        """Opens the folder, or makes it. Raises ``SessionError`` where it, or the database, cannot be used.

        ``talk`` makes of someone's words what comes of them. With a ``database`` (``postgresql://USER@HOST/NAME``, the
        password in ``PGPASSWORD`` or ``~/.pgpass``) everything is kept there, and the folder holds copies of pictures.
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
        """A new session."""
        return await self._write(self._store.log.create, title)

    async def listed(self) -> list[SessionInfo]:
        """All sessions, the one that changed last first."""
        return await self._ask(self._store.log.listed)

    async def rename(self, session: str, title: str) -> SessionInfo:
        """Gives a session another title."""
        return await self._write(self._store.log.rename, session, title)

    async def delete(self, session: str) -> None:
        """Takes away a session with its events, readings and pictures; what was confirmed stays in the archive."""
        await self._home.run(self._desk.delete, session)

    async def own(self, session: str, person: str) -> None:
        """A session belongs to a person, for those who show each their own."""
        await self._ask(self._store.log.own, session, person)

    async def people(self) -> dict[str, str]:
        """Whose sessions are, of those that belong to somebody."""
        return await self._ask(self._store.log.people)

    async def enter(self, login: str) -> None:
        """A browser has entered; ``login`` is a hash that only it can give."""
        await self._ask(self._store.logins.enter, login)

    async def entered(self, login: str) -> bool:
        """Whether a browser has entered, has not left, and did not stay away for too long."""
        return await self._ask(self._store.logins.entered, login)

    async def leave(self, login: str) -> None:
        """A browser has left."""
        await self._ask(self._store.logins.leave, login)

    async def stored(self) -> Stored:
        """What the pictures take up, and how much space is left."""
        return await self._ask(self._store.stored)

    async def add(self, session: str, data: bytes, name: str) -> str:
        """A picture joins the session; returns its case id. The same picture joins once.

        ``name`` is only shown. Raises ``ImageError`` for bytes that cannot be read as an image.
        """
        return await self._home.run(self._desk.add, session, data, name)

    async def bring(self, session: str, data: bytes, name: str, *, in_turn: bool = False) -> str:
        """``add`` and ``read`` in one: both are stored when it returns, and the reading survives whatever happens.

        Readings that are begun ``in_turn`` come one after the other.
        """
        return await self._home.run(self._desk.bring, session, data, name, in_turn=in_turn)

    async def read(self, session: str, case: str, how: How = PLAIN) -> str:
        """Begins a reading of an image, which goes on in the background; returns its id.

        What happens in it, faults too, is told by events. Raises ``UnknownPart`` for an agent that is not of the panel,
        ``SessionError`` where nobody would be asked, or nobody who is takes the hint.
        """
        return await self._home.run(self._desk.read, session, case, how)

    async def where(self, session: str, case: str, label: str | None = None) -> Attribution:
        """Where the local agents' probability of a label rests in an image; of the likeliest without one.

        It is no event of the session. Raises ``TaskError`` for an unknown label.
        """
        return await self._home.run(self._desk.where, session, case, label)

    async def say(self, session: str, text: str, case: str | None = None, reviewer: str = "") -> None:
        """Someone's words, about an image or the one that was talked about last; the reply comes as an event.

        ``reviewer`` is who speaks: what they decide by it goes on record under that name.
        """
        await self._home.run(self._desk.say, session, text, case, reviewer)

    async def complete(self, session: str, text: str, case: str | None = None) -> list[LineCompletion]:
        """How a line begun may go on, said about an image or the one that was talked about last."""
        return await self._home.run(self._desk.complete, session, text, case)

    async def decide(self, session: str, reading: str, label: str, reviewer: str = "", note: str = "") -> None:
        """A person's decision on the image of a reading: ends what waits for it, and is confirmed to the panel.

        An earlier decision on the image is undone. Raises ``TaskError`` for a label that the task does not know.
        """
        await self._home.run(self._desk.decide, session, reading, label, reviewer, note)

    async def events(self, session: str, after: int = 0) -> list[Event]:
        """What has happened since the event of number ``after``."""
        return await self._ask(self._store.log.events, session, after)

    async def follow(self, session: str, after: int = 0) -> AsyncGenerator[Event, None]:
        """What has happened since the event of number ``after``, then what happens, until the session is deleted."""
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
        """Waits until what was said here is answered and obeyed, and no reading that this process carries goes on.

        Raises ``SessionsFull`` where the disk does not take what is to be stored; it is tried again until it does.
        """
        await self._home.run(self._desk.work.settled, session)

    async def stop(self, session: str) -> None:
        """Gives up the readings that this process carries; what was answered stays, and an event tells of the end."""
        await self._home.run(self._desk.stop, session)

    async def waiting(self) -> list[Waiting]:
        """The work list: readings of all sessions that wait for a person, the oldest first."""
        return await self._ask(self._store.log.waiting)

    async def decisions(self, n: int = 20) -> list[Event]:
        """The last decisions that still count, over all sessions, the latest first."""
        return await self._ask(self._store.log.decisions, n)

    async def picture(self, session: str, case: str) -> Path:
        """The file of an image."""
        return await self._ask(self._store.pictures.find, session, case)

    async def export(self, session: str, format: Format, folder: Path, *, metadata: bool = False) -> Path:
        """Writes a session into a folder, its pictures beside it; returns the document.

        A page shows everything without them. The pictures are copies without metadata (place, owner, device), unless
        ``metadata`` keeps it. Raises ``SessionError`` where the folder cannot be written.
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
        """Stops; readings that have not ended are carried on at the next start. A second call does nothing."""
        if not self._closed:
            self._closed = True
            await self._home.run(self._desk.close)
            self._home.close()
