"""What goes on in the background of sessions, and every question to their storage. All on one event loop."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import ParamSpec, TypeVar

from doubleread.core.errors import SessionsAway, SessionsFull

LISTEN_S = 0.5
"""How often another process's writes are looked for: one question to the database, for all followers together."""
P = ParamSpec("P")
T = TypeVar("T")


class Bell:
    """Tells everyone who follows a session that something was written: at once here, within a second elsewhere."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    @property
    def next(self) -> asyncio.Event:
        """Set when it rings next. Take it before looking, or what is written in between is missed."""
        return self._next

    def ring(self) -> None:
        """Wakes everyone who waits."""
        self._next.set()
        self._next = asyncio.Event()

    async def listen(self, version: Callable[[], object], changed: Callable[[], None]) -> None:
        """Calls ``changed`` and rings whenever ``version`` is another, until cancelled.

        Both may take their time, and may raise ``SessionsAway``: when the database is back, it rings.
        """
        known = await asyncio.to_thread(version)
        while True:
            await asyncio.sleep(LISTEN_S)
            try:
                if (now := await asyncio.to_thread(version)) == known:
                    continue
                await asyncio.to_thread(changed)
                known = now
            except SessionsAway:
                known = None
                continue
            self.ring()


class Work:
    """The tasks of sessions. Each asks the storage through ``ask`` and ``write``."""

    def __init__(self) -> None:
        self.bell = Bell()
        self._tasks: dict[asyncio.Task[None], str] = {}
        """What goes on in the background, and in which session."""
        self._full: dict[str, str] = {}
        """By session: what the disk does not take; it is tried again until it does."""

    def start(self, session: str, work: Coroutine[None, None, None], name: str | None = None) -> None:
        """Begins a task of a session."""
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = session
        task.add_done_callback(self._tasks.pop)

    def going_on(self, session: str | None = None) -> list[asyncio.Task[None]]:
        """The tasks of a session, or of all."""
        return [task for task, where in self._tasks.items() if session in {None, where}]

    async def settled(self, session: str) -> None:
        """Waits for the tasks of a session. Raises ``SessionsFull`` while the disk takes no more."""
        while tasks := self.going_on(session):
            await asyncio.wait(tasks, timeout=LISTEN_S)
            if session in self._full:
                raise SessionsFull(self._full[session])

    async def write(self, write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """``ask`` for what changes something; whoever follows is told."""
        done = await self.ask(write, *args, **kwargs)
        self.bell.ring()
        return done

    async def ask(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
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


async def cancelled(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancels tasks and waits for their end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
