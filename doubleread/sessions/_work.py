"""Runs the background tasks of sessions and all access to their storage, on one event loop."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import ParamSpec, TypeVar

from doubleread.core.errors import SessionsAway, SessionsFull

LISTEN_S = 0.5
"""Seconds between checks for other processes' writes: one query for all followers together."""
P = ParamSpec("P")
T = TypeVar("T")


class Bell:
    """Notifies followers of a session about writes: at once in this process, within a second in others."""

    def __init__(self) -> None:
        self._next = asyncio.Event()

    @property
    def next(self) -> asyncio.Event:
        """The event set at the next ring. Get it before reading the log, or writes in between are missed."""
        return self._next

    def ring(self) -> None:
        """Wakes all waiters."""
        self._next.set()
        self._next = asyncio.Event()

    async def listen(self, version: Callable[[], object], changed: Callable[[], None]) -> None:
        """Calls ``changed`` and rings whenever ``version`` changes, until cancelled.

        Both callbacks may be slow, and may raise ``SessionsAway``; it rings when the database is back.
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
    """The tasks of sessions, which access the storage through ``ask`` and ``write``."""

    def __init__(self) -> None:
        self.bell = Bell()
        self._tasks: dict[asyncio.Task[None], str] = {}
        """Running background tasks, and their session."""
        self._full: dict[str, str] = {}
        """Error messages by session while the disk is full; writing is retried until it succeeds."""

    def start(self, session: str, work: Coroutine[None, None, None], name: str | None = None) -> None:
        """Starts a task of a session."""
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = session
        task.add_done_callback(self._tasks.pop)

    def going_on(self, session: str | None = None) -> list[asyncio.Task[None]]:
        """Returns the running tasks of a session, or of all."""
        return [task for task, where in self._tasks.items() if session in {None, where}]

    async def settled(self, session: str) -> None:
        """Waits for the tasks of a session. Raises ``SessionsFull`` while the disk is full."""
        while tasks := self.going_on(session):
            await asyncio.wait(tasks, timeout=LISTEN_S)
            if session in self._full:
                raise SessionsFull(self._full[session])

    async def write(self, write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls ``ask`` for a change and notifies followers."""
        done = await self.ask(write, *args, **kwargs)
        self.bell.ring()
        return done

    async def ask(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs storage access in a thread. Background tasks retry while the database is away or the disk full."""
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
