"""Streams a session's events as server-sent events: those missed first, then live."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from starlette.responses import StreamingResponse

from doubleread.sessions.record import Event
from doubleread.web._view import View
from doubleread.web.pages import PanelFacts, changed

BEAT_S = 15.0
"""Seconds between comments, which stop proxies from closing a quiet stream."""


class Streams:
    """The open streams. They end when the server stops; browsers reconnect and catch up."""

    def __init__(self, about: PanelFacts) -> None:
        self._about = about
        self._open: set[asyncio.Event] = set()

    def end(self) -> None:
        """Ends all streams. Call it on the event loop that serves them."""
        for over in self._open:
            over.set()

    def open(self, session: str, events: AsyncGenerator[Event, None], after: int) -> StreamingResponse:
        """Streams the page changes of events after ``after``; ``events`` starts with the session's first event."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        messages = self._messages(session, events, after)
        return StreamingResponse(messages, media_type="text/event-stream", headers=headers)

    async def _messages(self, session: str, events: AsyncGenerator[Event, None], after: int) -> AsyncIterator[str]:
        view, over = View(), asyncio.Event()
        self._open.add(over)
        try:
            yield "retry: 1000\n\n"
            async for event in _beating(events, over):
                if event is None:
                    yield ": still here\n\n"
                    continue
                change = view.apply(event)
                if event.seq > after:
                    lines = changed(self._about, session, change).splitlines()
                    yield f"id: {event.seq}\ndata: " + "\ndata: ".join(lines) + "\n\n"
        finally:
            self._open.discard(over)


async def _beating(events: AsyncGenerator[Event, None], over: asyncio.Event) -> AsyncIterator[Event | None]:
    """Yields the events until ``over`` is set, and None whenever there was none for a while."""
    ending = asyncio.ensure_future(over.wait())
    coming = asyncio.ensure_future(anext(events, None))
    try:
        while True:
            await asyncio.wait({coming, ending}, timeout=BEAT_S, return_when=asyncio.FIRST_COMPLETED)
            if ending.done() or (coming.done() and coming.result() is None):
                return
            if not coming.done():
                yield None
                continue
            yield coming.result()
            coming = asyncio.ensure_future(anext(events, None))
    finally:
        for task in (coming, ending):
            task.cancel()
        await asyncio.gather(coming, ending, return_exceptions=True)
        await events.aclose()
