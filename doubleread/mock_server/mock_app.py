"""The mock server: rate limits, answers, and running it in a thread on a free port."""

import asyncio
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doubleread.mock_server.injected_faults import FAULTS, rate_limit
from doubleread.mock_server.mock_reply import (
    Fault,
    MockReply,
    RawReply,
    Received,
    chat_body,
    decisions_body,
    error_body,
)

Say = MockReply | Fault | RawReply
Answering = Say | Callable[[Received], Say]
_FEATURES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "json_schema": lambda body: body.get("response_format", {}).get("type") == "json_schema",
    "json_object": lambda body: body.get("response_format", {}).get("type") == "json_object",
    "logprobs": lambda body: bool(body.get("logprobs")),
    "temperature": lambda body: "temperature" in body,
    "max_completion_tokens": lambda body: "max_completion_tokens" in body,
    "max_tokens": lambda body: "max_tokens" in body,
}
"""Features that a server may lack, with a test of whether a request uses them."""
SHUTDOWN_S = 1


@dataclass(frozen=True)
class RateLimits:
    """Requests per minute (a token bucket of size ``burst``) and concurrent requests; None: no limit.

    Refusals contain ``retry_after``, in seconds, if given.
    """

    requests_per_minute: float | None = None
    burst: int = 30
    in_flight: int | None = None
    retry_after: float | None = None


class RateLimiter:
    """Enforces ``RateLimits``. For one event loop."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits
        self._tokens, self._filled = float(limits.burst), time.monotonic()
        self._inside = 0

    def enter(self) -> bool:
        """Whether a request is accepted; if so, ``leave`` must follow."""
        if self._limits.in_flight is not None and self._inside >= self._limits.in_flight:
            return False
        if self._limits.requests_per_minute is not None and not self._token(self._limits.requests_per_minute):
            return False
        self._inside += 1
        return True

    def leave(self) -> None:
        self._inside -= 1

    def _token(self, rate: float) -> bool:
        now = time.monotonic()
        self._tokens = min(self._limits.burst, self._tokens + (now - self._filled) * rate / 60)
        self._filled = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class MockServer:
    """Answers with ``replies`` in order, then with ``otherwise``; keeps all requests.

    ``without`` names unsupported features, which it rejects with status 400.
    """

    def __init__(
        self, replies: Sequence[Say], otherwise: Answering, limits: RateLimits, latency_s: float, without: Sequence[str]
    ) -> None:
        self._replies, self._otherwise = deque(replies), otherwise
        self._gate, self._limits, self._latency_s = RateLimiter(limits), limits, latency_s
        self._without = tuple(without)
        self._received: list[Received] = []
        self._guard = threading.Lock()
        self.answered = 0
        self.refused = 0
        """Number of requests rejected by the limits."""
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._answer, methods=["POST"]),
                Route("/v1/decisions", self._answer, methods=["POST"]),
                Route("/v1/models", self._models),
            ]
        )

    @property
    def requests(self) -> list[Received]:
        """All requests received so far, including rejected ones."""
        with self._guard:
            return list(self._received)

    async def _answer(self, request: Request) -> Response:
        received = Received(request.url.path, await request.json(), dict(request.headers), time.monotonic())
        with self._guard:
            self._received.append(received)
        if not self._gate.enter():
            self.refused += 1
            return rate_limit(Fault("rate-limit", retry_after=self._limits.retry_after))
        try:
            return await self._let_in(received)
        finally:
            self._gate.leave()

    async def _let_in(self, received: Received) -> Response:
        lacking = next((name for name in self._without if _FEATURES[name](received.body)), None)
        if lacking is not None:
            return JSONResponse(
                error_body(f"Unsupported: '{lacking}' is not supported by this model.", param=lacking), 400
            )
        say = self._replies.popleft() if self._replies else self._otherwise
        say = say(received) if callable(say) else say
        if isinstance(say, Fault):
            return FAULTS[say.name](say, received)
        if isinstance(say, RawReply):
            return _raw(say)
        await asyncio.sleep(self._latency_s + say.delay_s)
        self.answered += 1
        body = decisions_body(say) if received.path.endswith("/decisions") else chat_body(say)
        return JSONResponse(body, headers={"x-request-id": f"req-{self.answered}"})

    async def _models(self, request: Request) -> Response:
        del request
        return JSONResponse({"object": "list", "data": [{"id": "mock-1", "object": "model", "owned_by": "nobody"}]})


def _raw(say: RawReply) -> Response:
    if isinstance(say.body, str):
        return Response(say.body, say.status, say.headers)
    return JSONResponse(say.body, say.status, say.headers)


@dataclass(frozen=True)
class Running:
    """A running server."""

    base_url: str
    server: MockServer


@contextmanager
def running(
    replies: Sequence[Say] = (),
    otherwise: Answering = MockReply(),  # noqa: B008 - frozen
    *,
    limits: RateLimits = RateLimits(),
    latency_s: float = 0.0,
    without: Sequence[str] = (),
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[Running]:
    """Runs the server during the block; ``port`` 0 takes a free one. Raises ``OSError`` for a port in use."""
    mock = MockServer(replies, otherwise, limits, latency_s, without)
    config = uvicorn.Config(
        mock.app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=SHUTDOWN_S, backlog=2048
    )
    server = uvicorn.Server(config)
    listening = socket.create_server((host, port), backlog=2048)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="mock-server", daemon=True)
    thread.start()
    try:
        yield Running(f"http://{host}:{listening.getsockname()[1]}/v1", mock)
    finally:
        server.should_exit = True
        thread.join(SHUTDOWN_S + 5)
        listening.close()
