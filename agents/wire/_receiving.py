"""Receives replies: limits how much is read, compressed and decompressed, and detects whether a request was sent."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any

import httpx2

MAX_REPLY = 8_000_000
"""Largest answer in decompressed bytes.

4,096 tokens with 20 alternatives each, the most one can request, have about 6 MB; without alternatives a few kB.
"""
MAX_REFUSAL = 64_000
"""Bytes read of the body of a refusal."""
REFUSAL_S = 5.0
"""Seconds allowed for the body of a refusal: its status is enough."""
LARGE = 1_000_000
"""Larger answers wait for one of ``LARGE_AT_ONCE`` places, which limits the memory used."""
LARGE_AT_ONCE = 4
_KEPT = ("x-request-id", "retry-after", "retry-after-ms")
_MAX_HEADER = 200
_SENT = frozenset(
    {"accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host", "user-agent"}
)
"""Headers that are sent to any server. The openai client would add others from its environment variables."""
_OPENAI = "api.openai.com"
_SENT_TO_OPENAI = _SENT | {"openai-organization", "openai-project"}

ON_SENDING: ContextVar[Callable[[], None]] = ContextVar("on_sending")
"""Called when the first byte of a request is sent; set by the sender."""


class ReplyTooLarge(Exception):
    """A body exceeds the limit of bytes."""


class RefusedResponse(Exception):
    """The status is not 2xx; ``response`` holds as much of the body as was read."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        super().__init__(response.status_code)


class BoundedClient(httpx2.AsyncClient):
    """A client that reads responses whole up to a limit; raises ``RefusedResponse`` unless the status is 2xx.

    It keeps only the headers that are used.
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
    """Reads the body within limits; an interrupted body keeps its status."""
    body = bytearray()
    try:
        async with asyncio.timeout(REFUSAL_S), aclosing(_parts(response, MAX_REFUSAL)) as parts:
            async for part in parts:
                body += part
    except (ReplyTooLarge, TimeoutError, httpx2.HTTPError):
        pass
    return bytes(body)


async def _parts(response: httpx2.Response, limit: int) -> AsyncGenerator[bytes]:
    """Yields the decompressed body; raises ``ReplyTooLarge`` above ``limit`` bytes, compressed or decompressed."""
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
    """The bytes as sent, up to a limit."""

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
    media_type = response.headers.get("content-type", "no content type").partition(";")[0]  # a charset may do harm
    headers["content-type"] = _brief(media_type)
    return httpx2.Response(response.status_code, headers=headers, content=body, request=response.request)


def _brief(value: str) -> str:
    return value[:_MAX_HEADER].encode("ascii", "replace").decode("ascii")


async def _trace(event: str, info: Mapping[str, Any]) -> None:
    if event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":  # CONNECT: to a proxy
        ON_SENDING.get()()
