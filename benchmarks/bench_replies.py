"""Hostile and broken replies: the ledger against the server's own count, memory, and what becomes of the calls."""

import asyncio
import gzip
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from benchmarks.figure import Figure
from benchmarks.memory_use import forget_peak, peak, resident
from benchmarks.raw_server import Say, head, raw_server, reset, whole
from doubleread.agents.wire.answers import AnswerCache
from doubleread.agents.wire.budget import Budget
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.prices import PriceTable, TokenPrice
from doubleread.agents.wire.request import Request
from doubleread.agents.wire.server_options import Server
from doubleread.agents.wire.wire import Wire
from doubleread.mock_server.mock_reply import MockReply, chat_body, error_body

QUESTIONS = 6
"""Asked at the same time."""
LIMITS = (None, 3)
"""Values of ``max_calls``."""
ATTEMPTS, ATTEMPT_S, DEADLINE_S = 2, 0.5, 2.5
ARRIVES_S = 2.0
"""Within this time the server has counted what was sent to it."""
UNFOLDED = 200_000_000
PATIENCE_S = 0.3
"""Of a caller who gives up."""


@dataclass(frozen=True)
class _Outcome:
    received: int
    counted: int
    answers: int
    faults: int
    raised: int
    peak_mb: float


def replies() -> Iterator[Figure]:
    """For each fault, requests that the ledger missed or invented; then the largest growth of memory in any of them."""
    worst, raised = 0.0, 0
    for name, say in _faults().items():
        found = [_measured(say, most, PATIENCE_S if name == "caller gives up" else None) for most in LIMITS]
        worst, raised = max(worst, *(one.peak_mb for one in found)), raised + sum(one.raised for one in found)
        told = "; ".join(
            f"max_calls {most}: {one.received} received, {one.counted} counted, {one.answers} answers, "
            f"{one.faults} faults, {one.peak_mb:.0f} MB"
            for most, one in zip(LIMITS, found, strict=True)
        )
        off = sum(abs(one.received - one.counted) for one in found) + max(0, found[1].received - (LIMITS[1] or 0))
        yield Figure(
            name=f"replies.{name}: requests miscounted or over the limit",
            value=off,
            n=sum(one.received for one in found),
            target="== 0",
            note=told,
        )
    yield Figure(name="replies.peak MB above rest", value=worst, n=len(_faults()), target="<= 300")
    yield Figure(name="replies.calls that raised anything but a fault", value=raised, target="== 0")


def _faults() -> dict[str, Say]:
    good = chat_body(MockReply(text="yes"))
    answer = json.dumps(good).encode()
    odd = answer.replace(b'"prompt_tokens": 100', b'"prompt_tokens": 1e999')
    lacking = json.dumps(error_body("temperature is not supported", param="temperature")).encode()
    return {
        "good answer": _says(whole(answer)),
        "answer after the deadline": _late(answer, 2 * DEADLINE_S),
        "caller gives up": _late(answer, DEADLINE_S),
        "reset before the answer": reset,
        "reset in the head": _breaks(b"HTTP/1.1 200 OK\r\ncont"),
        "reset in the body": _breaks(head("content-length: 1000") + b'{"ch'),
        "500": _says(whole(b"{}", status="500 No")),
        "429": _says(whole(b"{}", "retry-after-ms: 100", status="429 No")),
        "401": _says(whole(b"{}", status="401 No")),
        "feature missing": _says(whole(lacking, status="400 No")),
        "redirect": _says(whole(b"", "location: http://127.0.0.1:9/", status="307 There")),
        "gzip bomb": _says(whole(gzip.compress(bytes(UNFOLDED)), "content-encoding: gzip")),
        "gzip bomb in a 500": _says(whole(gzip.compress(bytes(UNFOLDED)), "content-encoding: gzip", status="500 No")),
        "endless answer": _endless("200 OK"),
        "endless 500": _endless("500 No"),
        "endless 100s": _flood,
        "8 MB of texts": _says(whole(b'{"choices": [' + '"\u0101",'.encode() * 1_500_000 + b"1]}")),
        "100,000 brackets": _says(whole(b"[" * 100_000)),
        "infinite usage": _says(whole(odd)),
        "code ²": _says(whole('{"error": {"code": "²"}}'.encode())),
    }


def _says(data: bytes) -> Say:
    return lambda connection: connection.sendall(data)


def _breaks(data: bytes) -> Say:
    def say(connection: socket.socket) -> bool:
        connection.sendall(data)
        return reset(connection)

    return say


def _late(answer: bytes, seconds: float) -> Say:
    def say(connection: socket.socket) -> None:
        time.sleep(seconds)
        connection.sendall(whole(answer))

    return say


def _endless(status: str) -> Say:
    def say(connection: socket.socket) -> None:
        connection.sendall(head("connection: close", status=status))
        while True:
            connection.sendall(b" " * 65_536)

    return say


def _flood(connection: socket.socket) -> None:
    while True:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 200)
        time.sleep(0.01)  # a client too busy to finish what it sends could not be counted by the server


def _measured(say: Say, max_calls: int | None, patience_s: float | None) -> _Outcome:
    budget = Budget(max_calls=max_calls)
    wire = Wire(AnswerCache(None), budget, PriceTable())
    with raw_server(say) as raw:
        server = Server(
            model="m",
            base_url=raw.base_url,
            attempts=ATTEMPTS,
            attempt_timeout_s=ATTEMPT_S,
            deadline_s=DEADLINE_S,
            price=TokenPrice(input=1, output=1),
        )
        forget_peak()
        rest = resident()
        try:
            found = asyncio.run(_asked(wire, server, patience_s))
        finally:
            wire.close()
        grown = peak() - rest
        _until(lambda: raw.requests >= budget.spent.calls)
        answers = sum(not isinstance(one, BaseException) for one in found)
        faults = sum(isinstance(one, CallFault | TimeoutError) for one in found)
        return _Outcome(raw.requests, budget.spent.calls, answers, faults, len(found) - answers - faults, grown)


async def _asked(wire: Wire, server: Server, patience_s: float | None) -> list[object]:
    async def one(number: int) -> object:
        request = Request(model=server.model, messages=({"role": "user", "content": f"question {number}"},))
        async with asyncio.timeout(patience_s):
            return await wire.ask(server, "benchmark", request, lambda completion: completion)

    return await asyncio.gather(*(one(number) for number in range(QUESTIONS)), return_exceptions=True)


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + ARRIVES_S
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
