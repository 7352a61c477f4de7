"""Receiving replies: how much of one is read, compressed and decompressed, and whether a request was sent at all."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any

import httpx2

MAX_REPLY = 8_000_000
"""Bytes of an answer, decompressed. The largest that anybody can ask for, 4,096 tokens with 20 alternatives each, has
about 6 MB; an answer without alternatives has a few kB."""
MAX_REFUSAL = 64_000
"""Bytes that are read of the body of a refusal; the rest is left."""
REFUSAL_S = 5.0
"""Seconds that the body of a refusal may take: its status says enough."""
LARGE = 1_000_000
"""An answer beyond this size waits for one of ``LARGE_AT_ONCE`` places, so that many of them do not fill the memory."""
LARGE_AT_ONCE = 4
_KEPT = ("x-request-id", "retry-after", "retry-after-ms")
_MAX_HEADER = 200
_SENT = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host", "user-agent"}
)
"""Headers that are sent. The openai client would add others from its own environment variables, whatever the server."""
_OPENAI = "api.openai.com"
_SENT_TO_OPENAI = _SENT | {"openai-organization", "openai-project"}

ON_SENDING: ContextVar[Callable[[], None]] = ContextVar("on_sending")
"""Called when the first byte of a request leaves; set by whoever sends."""


class ReplyTooLarge(Exception):
    """A body has more bytes than are read."""


class RefusedResponse(Exception):
    """The server answered with another status than 2xx; ``response`` holds as much of its body as was read."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        super().__init__(response.status_code)


class BoundedClient(httpx2.AsyncClient):
    """A client whose responses are read whole and are small; what is not 2xx raises ``RefusedResponse``.

    Of the headers only those that are used are kept.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        request.headers["accept-encoding"] = "identity"
        allowed = _SENT_TO_OPENAI if request.url.host == _OPENAI else _SENT
        for name in request.headers.keys() - allowed:
            del request.headers[name]
        request.extensions = {**request.extensions, "trace": _trace}
        response = await super().send(request, **{**options, "stream": True})
        if not response.is_success:
            raise RefusedResponse(_small(response, await _refusal(response)))
        return _small(response, await self._answer(response))

    async def _answer(self, response: httpx2.Response) -> bytes:
        body, waited = bytearray(), False
        try:
            async with aclosing(_parts(response, MAX_REPLY)) as parts:
                async for part in parts:
                    body += part
                    if len(body) > LARGE and not waited:
                        await self._large.acquire()
                        waited = True
            return bytes(body)
        finally:
            if waited:
                self._large.release()


async def _refusal(response: httpx2.Response) -> bytes:
    """What can be had of the body within limits; a body that breaks off does not take the status away."""
    body = bytearray()
    try:
        async with asyncio.timeout(REFUSAL_S), aclosing(_parts(response, MAX_REFUSAL)) as parts:
            async for part in parts:
                body += part
    except (ReplyTooLarge, TimeoutError, httpx2.HTTPError):
        pass
    return bytes(body)


async def _parts(response: httpx2.Response, limit: int) -> AsyncGenerator[bytes]:
    """The body in decompressed pieces; raises ``ReplyTooLarge`` where it has more bytes, in either form."""
    if not isinstance(response.stream, httpx2.AsyncByteStream):
        raise TypeError("the response has no asynchronous body")
    response.stream = _Counted(response.stream, limit)
    left = limit
    try:
        async with aclosing(response.aiter_bytes()) as parts:
            async for part in parts:
                left -= len(part)
                if left < 0:
                    raise ReplyTooLarge
                yield part
    finally:
        await response.aclose()


class _Counted(httpx2.AsyncByteStream):
    """The bytes as they were sent, up to a limit."""

    def __init__(self, stream: httpx2.AsyncByteStream, left: int) -> None:
        self._stream, self._left = stream, left

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            self._left -= len(part)
            if self._left < 0:
                raise ReplyTooLarge
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


def _small(response: httpx2.Response, body: bytes) -> httpx2.Response:
    headers = {name: _brief(value) for name in _KEPT if (value := response.headers.get(name)) is not None}
    media_type = response.headers.get("content-type", "no content type").partition(";")[0]  # a charset may be a bomb
    headers["content-type"] = _brief(media_type)
    return httpx2.Response(response.status_code, headers=headers, content=body, request=response.request)


def _brief(value: str) -> str:
    return value[:_MAX_HEADER].encode("ascii", "replace").decode("ascii")


async def _trace(event: str, info: Mapping[str, Any]) -> None:
    if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":  # CONNECT: to a proxy
        ON_SENDING.get()()
