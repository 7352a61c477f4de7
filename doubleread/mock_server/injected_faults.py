"""Faults of servers and proxies, by name. All of them occur in practice."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from functools import cache

from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from doubleread.mock_server.mock_reply import Fault, MockReply, Received, chat_body, error_body

GOOD = '{"findings": "f", "probabilities": {"a": 0.5, "b": 0.5}, "label": "a"}'
DRIP_S = 0.05
UNFOLDED = 50_000_000
Make = Callable[[Fault, Received], Response]


def _error(status: int, code: str | None, message: str) -> Make:
    return lambda fault, _: JSONResponse(error_body(fault.message or message, code), status)


def _said(reply: MockReply) -> Make:
    return lambda _, __: JSONResponse(chat_body(reply))


def _raw(content: str | bytes, media_type: str = "application/json") -> Make:
    return lambda _, __: Response(content, media_type=media_type)


def rate_limit(fault: Fault, *_: object) -> Response:
    """Returns status 429, with or without the seconds to wait."""
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    if fault.retry_after is not None and fault.retry_after < 1:  # the header only takes whole seconds
        headers = {"retry-after-ms": f"{fault.retry_after * 1000:.0f}"}
    return JSONResponse(error_body("rate limit reached", "rate_limit_exceeded"), 429, headers)


def _unauthorized(_: Fault, received: Received) -> Response:
    """Repeats the key that it received, as real servers do."""
    key = received.headers.get("authorization", "").removeprefix("Bearer ")
    return JSONResponse(error_body(f"Incorrect API key provided: {key}.", "invalid_api_key"), 401)


def _streamed(body: Callable[[], AsyncIterator[bytes]], status: int = 200) -> Make:
    return lambda _, __: StreamingResponse(body(), status, media_type="application/json")


async def _drip() -> AsyncIterator[bytes]:
    for byte in json.dumps(chat_body(MockReply(text=GOOD))):
        yield byte.encode()
        await asyncio.sleep(DRIP_S)


async def _hang() -> AsyncIterator[bytes]:
    await asyncio.sleep(3600)
    yield b""


class Dropped(Exception):
    """Closes the connection."""


async def _disconnect() -> AsyncIterator[bytes]:
    yield b'{"choices": [{"mess'
    raise Dropped


async def _endless() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 100_000
        await asyncio.sleep(0)  # needed to notice a disconnected client


@cache
def _bomb() -> Response:
    """Returns a small body that is compressed twice and expands to a large one."""
    body = gzip.compress(gzip.compress(bytes(UNFOLDED)))
    return Response(body, headers={"content-encoding": "gzip, gzip"}, media_type="application/json")


def _with_usage(tokens: str) -> Make:
    """Returns a valid answer with these raw JSON token counts."""
    body = {**chat_body(MockReply(text=GOOD)), "usage": {"prompt_tokens": "TOKENS", "completion_tokens": 1}}
    return _raw(json.dumps(body).replace('"TOKENS"', tokens))


def _choices(value: object) -> str:
    return json.dumps({**chat_body(MockReply()), "choices": value})


FAULTS: dict[str, Make] = {
    "rate-limit": rate_limit,
    "quota": _error(429, "insufficient_quota", "You exceeded your current quota"),
    "unauthorized": _unauthorized,
    "forbidden": _error(403, None, "not allowed"),
    "not-found": _error(404, "model_not_found", "The model does not exist"),
    "too-large": _error(413, None, "request entity too large"),
    "bad-request": _error(400, None, "something is wrong with the request"),
    "unprocessable": _error(422, None, "something is wrong with the request"),
    "server-error": lambda fault, _: JSONResponse(error_body("the server had an error", "server_error"), fault.status),
    "loading": lambda *_: JSONResponse(
        {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, 503
    ),
    "overloaded": _error(529, "overloaded_error", "overloaded"),
    "hang": _streamed(_hang),
    "drip": _streamed(_drip),
    "broken-json": _raw('{"choices": [{"message": '),
    "html": _raw("<html><body>502 Bad Gateway</body></html>", "text/html"),
    "empty-body": _raw(""),
    "refusal": _said(MockReply(refusal="I can't help with that.")),
    "content-filter": _said(MockReply(text="", finish_reason="content_filter")),
    "truncation": _said(MockReply(text=GOOD[:40], finish_reason="length")),
    "wrong-label": _said(MockReply(text='{"findings": "f", "probabilities": {"zebra": 1.0}, "label": "zebra"}')),
    "duplicate-keys": _said(MockReply(text='{"findings": "f", "probabilities": {"a": 0.9, "a": 0.1}, "label": "a"}')),
    "not-a-distribution": _said(
        MockReply(text='{"findings": "f", "probabilities": {"a": -1, "b": NaN}, "label": "a"}')
    ),
    "prose": _said(MockReply(text="I think it is probably a, but I am not sure.")),
    "null-choices": _raw(_choices(None)),
    "no-choices": _raw(_choices([])),
    "null-content": _raw(_choices([{"index": 0, "finish_reason": "stop", "message": {"content": None}}])),
    "null-message": _raw(_choices([{"index": 0, "finish_reason": "stop", "message": None}])),
    "gateway-error": _raw(json.dumps({"error": {"code": 502, "message": "provider returned error"}})),
    "not-an-object": _raw("[1, 2, 3]"),
    "disconnect": _streamed(_disconnect),
    "endless": _streamed(_endless),
    "endless-error": _streamed(_endless, 500),
    "bomb": lambda _, __: _bomb(),
    "deep": _raw('{"choices": ' + "[" * 100_000),
    "latin-1": _raw(json.dumps(chat_body(MockReply(text="brûlé")), ensure_ascii=False).encode("latin-1")),
    "lone-surrogate": _raw(json.dumps(chat_body(MockReply(text=GOOD.replace('"f"', '"\ud800\0"'))))),
    "odd-error-code": _raw(json.dumps({"error": {"code": "²", "message": "provider returned error"}})),
    "infinite-usage": _with_usage("1e999"),
    "negative-usage": _with_usage("-5"),
    "absurd-usage": _with_usage("9" * 400),
    "redirect": lambda _, __: RedirectResponse("http://127.0.0.1:9/v1/chat/completions", 307),
}
