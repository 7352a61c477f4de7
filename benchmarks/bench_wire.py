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
from doubleread.mock_server import MockReply, RateLimits, running

CALLS, WORKERS = 400, 64
PER_MINUTE, BURST, LATENCY_S = 1800.0, 30, 0.5
CAP, CAP_LATENCY_S = 16, 1.0


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


def _figures(name: str, limits: RateLimits, latency_s: float, ideal: float, target: str) -> Iterator[Figure]:
    with running(otherwise=MockReply(text="yes"), limits=limits, latency_s=latency_s) as mock:
        wire = Wire(AnswerCache(None), Budget(), PriceTable())
        server = Server(model="mock-1", base_url=mock.base_url, in_flight=WORKERS)
        try:
            began = time.perf_counter()
            lost = asyncio.run(_call_all(wire, server))
            took = time.perf_counter() - began
        finally:
            wire.close()
        refused = mock.server.refused
    note = f"{took:.1f} s, ideal {ideal:.1f} s; {refused} refusals"
    yield Figure(name=f"wire, {name}: wall / ideal", value=took / ideal, n=CALLS, target=target, note=note)
    yield Figure(name=f"wire, {name}: calls lost", value=lost, n=CALLS, target="== 0")


async def _call_all(wire: Wire, server: Server) -> int:
    """Calls from 64 workers; how many gave no answer."""
    todo, lost = iter(range(CALLS)), 0

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
