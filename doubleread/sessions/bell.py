"""Tells everyone who follows a session that something was written: at once here, within a second elsewhere."""

import asyncio
from collections.abc import Callable

LISTEN_S = 0.5
"""How often another process's writes are looked for: one question to the file, for all followers together."""


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

    async def listen(self, version: Callable[[], int]) -> None:
        """Rings whenever ``version`` has changed, until cancelled."""
        known = version()
        while True:
            await asyncio.sleep(LISTEN_S)
            if (now := version()) != known:
                known = now
                self.ring()
