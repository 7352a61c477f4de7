"""Tells everyone who follows a session that something was written: at once here, within a second elsewhere."""

import asyncio
from collections.abc import Callable

from doubleread.core.errors import SessionsAway

LISTEN_S = 0.5
"""How often another process's writes are looked for: one question to the database, for all followers together."""


class Bell:
    """Made on the event loop of those who wait."""

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
