"""The server itself."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from doubleread.mock_server.bodies import chat_body, decisions_body, error_body
from doubleread.mock_server.injected_faults import FAULTS, rate_limit
from doubleread.mock_server.mock_reply import Fault, Received, Reply
from doubleread.mock_server.rate_limits import Gate, Limits

Say = Reply | Fault
Answering = Say | Callable[[Received], Say]
_FEATURES: dict[str, Callable[[dict[str, Any]], bool]] = {
    "json_schema": lambda body: body.get("response_format", {}).get("type") == "json_schema",
    "json_object": lambda body: body.get("response_format", {}).get("type") == "json_object",
    "logprobs": lambda body: bool(body.get("logprobs")),
    "temperature": lambda body: "temperature" in body,
    "max_completion_tokens": lambda body: "max_completion_tokens" in body,
}
"""Features that a server may lack, and how a request shows that it uses one."""


class MockServer:
    """Says ``replies`` one after another, then ``otherwise``; keeps what it received.

    ``without`` names features it rejects with a 400, as servers without them do.
    """

    def __init__(
        self, replies: Sequence[Say], otherwise: Answering, limits: Limits, latency_s: float, without: Sequence[str]
    ) -> None:
        self._replies, self._otherwise = deque(replies), otherwise
        self._gate, self._limits, self._latency_s = Gate(limits), limits, latency_s
        self._without = tuple(without)
        self._received: list[Received] = []
        self._guard = threading.Lock()
        self.answered = 0
        self.refused = 0
        """Requests that its limits turned away."""
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self._answer, methods=["POST"]),
                Route("/v1/decisions", self._answer, methods=["POST"]),
                Route("/v1/models", self._models),
            ]
        )

    @property
    def requests(self) -> list[Received]:
        """Everything received so far, refused requests included."""
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
        await asyncio.sleep(self._latency_s + say.delay_s)
        self.answered += 1
        body = decisions_body(say) if received.path.endswith("/decisions") else chat_body(say)
        return JSONResponse(body, headers={"x-request-id": f"req-{self.answered}"})

    async def _models(self, request: Request) -> Response:
        del request
        return JSONResponse({"object": "list", "data": [{"id": "mock-1", "object": "model", "owned_by": "nobody"}]})
