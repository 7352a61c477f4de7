"""The mock server: what it answers to requests, and running it in a thread on a free port."""

import asyncio
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from doubleread.core.types import Json
from doubleread.mock_server.asked import ParsedRequest, Refused
from doubleread.mock_server.chat_api import chat_asked, chat_written, events
from doubleread.mock_server.decisions_api import (
    decisions_asked,
    decisions_written,
    systemone_asked,
    systemone_written,
)
from doubleread.mock_server.injected_faults import FAULTS, rate_limit
from doubleread.mock_server.mock_limits import RateLimiter, RateLimits
from doubleread.mock_server.mock_reply import Fault, MockReply, RawReply, Received, cut_to, error_body
from doubleread.mock_server.mock_rules import Read, ServingRules, object_of
from doubleread.mock_server.responses_api import responses_asked, responses_written

Say = MockReply | Fault | RawReply
Answering = Say | Callable[[Received], Say]
Write = Callable[[MockReply, ParsedRequest], Json]
APIS: dict[str, tuple[Read, Write]] = {
    "/v1/chat/completions": (chat_asked, chat_written),
    "/v1/responses": (responses_asked, responses_written),
    "/v1/decisions": (decisions_asked, decisions_written),
    "/v1/systemone": (systemone_asked, systemone_written),
}
USUAL = "mock-1"
"""The model that is listed if none is named."""
SHUTDOWN_S = 1


class MockServer:
    """Answers with ``replies`` in order, then with ``otherwise``; keeps all requests."""

    def __init__(
        self, replies: Sequence[Say], otherwise: Answering, limits: RateLimits, latency_s: float, rules: ServingRules
    ) -> None:
        self._replies, self._otherwise = deque(replies), otherwise
        self._gate, self._limits, self._latency_s = RateLimiter(limits), limits, latency_s
        self._rules = rules
        self._received: list[Received] = []
        self._guard = threading.Lock()
        self.answered = 0
        self.refused = 0
        """Number of requests rejected by the limits."""
        routes = [Route(path, partial(self._post, *api), methods=["POST"]) for path, api in APIS.items()]
        self.app = Starlette(
            routes=[*routes, Route("/v1/models", self._models), Route("/v1/models/{name:path}", self._models)],
            exception_handlers={HTTPException: _no_such_route},
        )
        self.app.router.redirect_slashes = False

    @property
    def requests(self) -> list[Received]:
        """All requests received so far, including rejected ones."""
        with self._guard:
            return list(self._received)

    async def _post(self, read: Read, write: Write, request: Request) -> Response:
        received = Received(request.url.path, {}, dict(request.headers), time.monotonic())
        content = await request.body()
        try:
            self._rules.check_key(received.headers.get("authorization", ""))
            received = replace(received, body=object_of(content))
            received = replace(received, asked=self._rules.asked(received.path, received.body, read))
        except Refused as refused:
            return _refusal(refused)
        finally:
            with self._guard:
                self._received.append(received)
        return await self._let_in(received, write)

    async def _let_in(self, received: Received, write: Write) -> Response:
        if not self._gate.enter():
            self.refused += 1
            return rate_limit(Fault("rate-limit", retry_after=self._limits.retry_after))
        try:
            return await self._answer(received, write)
        except Refused as refused:
            return _refusal(refused)
        except Exception as error:  # noqa: BLE001 - of what answers, which may be a test's own function
            what = f"The mock server failed: {type(error).__name__}: {error}"
            return _json({"error": {"message": what, "type": "server_error", "param": None, "code": None}}, 500)
        finally:
            self._gate.leave()

    async def _answer(self, received: Received, write: Write) -> Response:
        say = self._replies.popleft() if self._replies else self._otherwise
        say = say(received) if callable(say) else say
        if isinstance(say, Fault):
            return FAULTS[say.name](say, received)
        if isinstance(say, RawReply):
            return _raw(say)
        await asyncio.sleep(self._latency_s + say.delay_s)
        self.answered += 1
        asked = received.asked
        if asked is None:
            raise RuntimeError("only requests that can be answered come here")
        body, headers = write(cut_to(say, asked.limit), asked), {"x-request-id": f"req-{self.answered}"}
        if asked.stream:
            return StreamingResponse(events(body, asked), headers=headers, media_type="text/event-stream")
        return _json(body, 200, headers)

    async def _models(self, request: Request) -> Response:
        name = request.path_params.get("name")
        try:
            self._rules.check_key(request.headers.get("authorization", ""))
            if name is None:
                return _json({"object": "list", "data": [_card(one) for one in self._rules.models or [USUAL]]})
            self._rules.check_model(name)
            return _json(_card(name))
        except Refused as refused:
            return _refusal(refused)


def _card(model: str) -> Json:
    return {"id": model, "object": "model", "created": 0, "owned_by": "nobody"}


def _refusal(error: Refused) -> Response:
    return _json(error_body(error.message, error.code, error.param), error.status)


async def _no_such_route(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    what = "Not allowed to" if status == 405 else "Invalid URL:"
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    return _json(error_body(f"{what} {request.method} {request.url.path}"), status, headers)


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, media_type="application/json")


def _raw(say: RawReply) -> Response:
    if isinstance(say.body, str):
        return Response(say.body, say.status, say.headers)
    return _json(say.body, say.status, say.headers)


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
    limits: RateLimits = RateLimits(),  # noqa: B008 - frozen
    latency_s: float = 0.0,
    without: Sequence[str] = (),
    ignores: Sequence[str] = (),
    models: Sequence[str] = (),
    key: str | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Iterator[Running]:
    """Runs the server during the block; ``port`` 0 takes a free one. Raises ``OSError`` for a port in use.

    ``without``, ``ignores``, ``models`` and ``key`` are those of ``ServingRules``.
    """
    mock = MockServer(replies, otherwise, limits, latency_s, ServingRules(without, ignores, models, key))
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
