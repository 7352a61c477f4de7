"""How close calls to models come to the speed that a server allows, over real HTTP to the loopback server."""

import asyncio
import time
from collections.abc import Iterator

from benchmarks.figure import Figure
from doubleread.agents.wire.answers import AnswerCache
from doubleread.agents.wire.budget import Budget
from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.prices import PriceTable
from doubleread.agents.wire.request import Request
from doubleread.agents.wire.server_options import Server
from doubleread.agents.wire.wire import Wire
from doubleread.mock_server import MockReply, RateLimits, RawReply, Received, running
from doubleread.mock_server.mock_reply import error_body

CALLS, WORKERS = 400, 64
PER_MINUTE, BURST, LATENCY_S = 1800.0, 30, 0.5
CAP, CAP_LATENCY_S = 16, 1.0
OUTAGE_S = 60.0


def wire_rate_limited() -> Iterator[Figure]:
    """Wall time over the ideal on a server that lets in 1,800 requests a minute."""
    ideal = (CALLS - BURST) / (PER_MINUTE / 60) + LATENCY_S
    for name, retry_after in (("", None), (" with Retry-After", 1.0)):
        limits = RateLimits(requests_per_minute=PER_MINUTE, burst=BURST, retry_after=retry_after)
        yield from _figures(f"1,800 a minute{name}", limits, LATENCY_S, ideal, "<= 1.10")


def wire_concurrency_capped() -> Iterator[Figure]:
    """Wall time over the ideal on a server that answers 16 at a time."""
    limits = RateLimits(in_flight=CAP)
    yield from _figures("16 at a time", limits, CAP_LATENCY_S, CALLS / CAP * CAP_LATENCY_S, "<= 1.30")


def wire_unlimited() -> Iterator[Figure]:
    """Wall time over the ideal on a server without limits: 64 workers wait for latency only."""
    yield from _figures("no limit", RateLimits(), CAP_LATENCY_S, CALLS / WORKERS * CAP_LATENCY_S, "<= 1.30")


def wire_refused_a_minute() -> Iterator[Figure]:
    """A server that refuses every call for a minute, without saying how long, and then takes all of them."""
    yield from _outage("429", RawReply(429, error_body("rate limit reached", "rate_limit_exceeded")))


def wire_loading() -> Iterator[Figure]:
    """A server that loads its model for a minute."""
    yield from _outage("503 loading", RawReply(503, error_body("Loading model")))


def _outage(name: str, refusal: RawReply) -> Iterator[Figure]:
    """Calls for one image, then for 200 images of which 16 are in flight."""
    for calls in (1, 200):
        until = time.monotonic() + OUTAGE_S
        answered: list[float] = []

        def answer(_: Received, until: float = until, answered: list[float] = answered) -> RawReply | MockReply:
            if time.monotonic() < until:
                return refusal
            answered.append(time.monotonic() - until)
            return MockReply(text="yes")

        with running(otherwise=answer, latency_s=0.2) as mock:
            wire = Wire(AnswerCache(None), Budget(), PriceTable())
            server = Server(model="mock-1", base_url=mock.base_url, in_flight=16)
            try:
                lost = asyncio.run(_call_all(wire, server, calls))
            finally:
                wire.close()
            sent = len(mock.server.requests)
        told = f"{sent} calls, {lost} lost, first answer after {answered[0]:.1f} s, last after {answered[-1]:.1f} s"
        if calls == 1:
            yield Figure(name=f"wire, {name} for a minute: calls for one image", value=sent, target="<= 12", note=told)
        else:
            # at full speed 16 calls are answered every 0.2 s, so that 200 take 2.5 s
            late = answered[-1] - calls / 16 * 0.2
            name_of = f"wire, {name} for a minute: seconds until full speed"
            yield Figure(name=name_of, value=late, n=calls, target="<= 10", note=told)
            yield Figure(name=f"wire, {name} for a minute: calls lost", value=lost, n=calls, target="== 0")


def _figures(name: str, limits: RateLimits, latency_s: float, ideal: float, target: str) -> Iterator[Figure]:
    with running(otherwise=MockReply(text="yes"), limits=limits, latency_s=latency_s) as mock:
        wire = Wire(AnswerCache(None), Budget(), PriceTable())
        server = Server(model="mock-1", base_url=mock.base_url, in_flight=WORKERS)
        try:
            began = time.perf_counter()
            lost = asyncio.run(_call_all(wire, server, CALLS))
            took = time.perf_counter() - began
        finally:
            wire.close()
        refused = mock.server.refused
    note = f"{took:.1f} s, ideal {ideal:.1f} s; {refused} refusals"
    yield Figure(name=f"wire, {name}: wall / ideal", value=took / ideal, n=CALLS, target=target, note=note)
    yield Figure(name=f"wire, {name}: calls lost", value=lost, n=CALLS, target="== 0")


async def _call_all(wire: Wire, server: Server, calls: int) -> int:
    """Calls from 64 workers; how many gave no answer."""
    todo, lost = iter(range(calls)), 0

    async def worker() -> None:
        nonlocal lost
        for i in todo:
            request = Request(model=server.model, messages=({"role": "user", "content": f"question {i}"},))
            try:
                await wire.ask(server, "benchmark", request, lambda completion: completion)
            except CallFault:
                lost += 1

    await asyncio.gather(*(worker() for _ in range(WORKERS)))
    return lost
