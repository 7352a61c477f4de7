"""The events of a session as server-sent events: those missed first, then live."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from starlette.responses import StreamingResponse

from doubleread.sessions.record import Event
from doubleread.web.pages import About, changed
from doubleread.web.view import View

BEAT_S = 15.0
"""A comment is sent this often, so that nobody between takes a quiet stream for a dead one."""


def stream(about: About, session: str, events: AsyncGenerator[Event, None], after: int) -> StreamingResponse:
    """What each event after ``after`` changes on the page; ``events`` begin with the session's first."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_messages(about, session, events, after), media_type="text/event-stream", headers=headers)


async def _messages(about: About, session: str, events: AsyncGenerator[Event, None], after: int) -> AsyncIterator[str]:
    view = View()
    yield "retry: 1000\n\n"
    async for event in _beating(events):
        if event is None:
            yield ": still here\n\n"
            continue
        change = view.apply(event)
        if event.seq > after:
            html = changed(about, session, change)
            yield f"id: {event.seq}\ndata: " + "\ndata: ".join(html.splitlines()) + "\n\n"


async def _beating(events: AsyncGenerator[Event, None]) -> AsyncIterator[Event | None]:
    """The events, and None where there was none for a while."""
    coming: asyncio.Task[Event] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({coming}, timeout=BEAT_S)
            if not done:
                yield None
                continue
            try:
                event = coming.result()
            except StopAsyncIteration:
                return
            coming = None
            yield event
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
        await events.aclose()
