"""Limits the size and the duration of request bodies."""

import asyncio
from time import monotonic

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from doubleread.web.limits import ENTRY_BYTES, WebLimits

LINGER_S = 5.0
"""Seconds to read and drop the rest of a refused body, so that the client receives the refusal."""


class BodyLimitMiddleware:
    """ASGI middleware that limits the body of every request while it is received.

    ``request.state.body`` is the ``Body``; its limit is ``ENTRY_BYTES`` until the route raises it.
    """

    def __init__(self, app: ASGIApp, limits: WebLimits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        body = Body(scope, receive, send, self._limits)
        scope.setdefault("state", {})["body"] = body
        return await self._app(scope, body.receive, body.send)


class Body:
    """The body of a request. ``receive`` raises ``HTTPException`` if it is too large (413) or too slow (408)."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: WebLimits) -> None:
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        self.declared = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else 0
        """Bytes announced by the request; 0 if not announced."""
        self.limit = ENTRY_BYTES
        """Maximum number of bytes."""
        self._receive, self._send, self._limits = receive, send, limits
        self._over = "transfer-encoding" not in headers and not self.declared
        self._closing, self._linger = False, LINGER_S
        self._taken, self._waited = 0, 0.0

    async def receive(self) -> Message:
        """Receives the next part; only time spent waiting for it counts."""
        if self._over:
            return await self._receive()
        if self.declared > self.limit:
            raise self._too_large()
        began = monotonic()
        try:
            async with asyncio.timeout(self._patience()):
                message = await self._receive()
        except TimeoutError:
            self._linger = 0.0
            raise HTTPException(408, "The request took too long to arrive, and was given up: send it again.") from None
        self._waited += monotonic() - began
        self._take(message)
        if self._taken > self.limit:
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        """Sends a response; if the body was not read to its end, closes the connection afterwards."""
        if message["type"] == "http.response.start" and not self._over:
            self._closing = True
            MutableHeaders(scope=message)["connection"] = "close"
        if self._closing and message["type"] == "http.response.body" and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._drop_the_rest()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    def _patience(self) -> float:
        allowed = min(self._limits.body_s, self._limits.grace_s + self._taken / self._limits.slowest)
        return max(0.001, allowed - self._waited)

    def _take(self, message: Message) -> None:
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
            self._over = not message.get("more_body", False)
        else:
            self._over = True

    async def _drop_the_rest(self) -> None:
        try:
            async with asyncio.timeout(self._linger):
                while not self._over:
                    self._take(await self._receive())
        except TimeoutError:
            pass

    def _too_large(self) -> HTTPException:
        return HTTPException(413, f"This is more than is taken here (at most {_size(self.limit)}): send less at once.")


def _size(n: int) -> str:
    return f"{n / 1e6:.0f} MB" if n >= 1e6 else f"{n / 1e3:.0f} kB"
