"""The pace of calls, in virtual time against servers with limits."""

import asyncio
import random

import pytest
from models_kit import in_virtual_time

from doubleread.agents.wire._pace import RateController
from doubleread.agents.wire.faults import CallFault

CALLS, WORKERS = 400, 64


def refusal(retry_after=None, step="slow-down"):
    return CallFault("rate-limit", "too many", step=step, retry_after=retry_after)


class Limited:
    """A server with a token bucket, a cap on what it does at once, and some latency."""

    def __init__(self, *, per_second=None, burst=30, cap=None, latency=0.5, retry_after=None):
        self.per_second, self.burst, self.cap, self.latency = per_second, burst, cap, latency
        self.retry_after, self.tokens, self.filled, self.inside, self.refused = retry_after, burst, 0.0, 0, 0
        self.most = 0
        self.chance = random.Random(1)

    async def answers(self):
        now = asyncio.get_running_loop().time()
        if self.per_second:
            self.tokens = min(self.burst, self.tokens + (now - self.filled) * self.per_second)
            self.filled = now
        if (self.per_second and self.tokens < 1) or (self.cap and self.inside >= self.cap):
            self.refused += 1
            await asyncio.sleep(0.01)
            return False
        self.tokens -= 1
        self.inside += 1
        self.most = max(self.most, self.inside)
        await asyncio.sleep(self.latency * self.chance.uniform(0.8, 1.2))
        self.inside -= 1
        return True


def seconds_for(server, *, calls=CALLS, in_flight=WORKERS, per_minute=None):
    """How long 64 workers take for all calls; every call is answered in the end."""

    async def main():
        pace, todo, done = RateController(in_flight, per_minute), iter(range(calls)), 0

        async def worker():
            nonlocal done
            for _ in todo:
                while True:
                    async with pace.turn() as turn:
                        if await server.answers():
                            turn.succeeded()
                            done += 1
                            break
                        turn.limited(refusal(server.retry_after))

        await asyncio.gather(*(worker() for _ in range(WORKERS)))
        return done

    done, took = in_virtual_time(main())
    assert done == calls
    return took


@pytest.mark.parametrize("retry_after", [None, 0.3, 1.0])
def test_1800_calls_a_minute_are_nearly_used_up_and_no_call_is_lost(retry_after):
    server = Limited(per_second=30, retry_after=retry_after)
    ideal = (CALLS - 30) / 30 + 0.5
    assert seconds_for(server) <= 1.10 * ideal
    assert server.refused < CALLS / 2


@pytest.mark.parametrize("latency", [1.0, 5.0])
def test_a_server_that_answers_16_at_a_time_is_found_out(latency):
    server = Limited(cap=16, latency=latency)
    assert seconds_for(server, calls=200) <= 1.35 * 200 / 16 * latency
    assert server.most == 16


def test_a_server_without_limits_is_not_kept_waiting():
    server = Limited(latency=1.0)
    assert seconds_for(server, calls=640) <= 640 / 64 / 0.85
    assert server.refused == 0


def test_a_stated_limit_is_never_exceeded():
    server = Limited(per_second=30, burst=2)
    took = seconds_for(server, calls=100, per_minute=600)
    assert server.refused == 0
    assert took == pytest.approx(10, abs=1)


def test_no_more_calls_are_in_flight_than_allowed():
    server = Limited(latency=2.0)
    seconds_for(server, calls=40, in_flight=5)
    assert server.most == 5


def test_a_named_pause_stops_everybody():
    async def main():
        pace = RateController(8)
        async with pace.turn() as turn:
            turn.limited(refusal(20.0))
        async with pace.turn():
            return asyncio.get_running_loop().time()

    resumed, _ = in_virtual_time(main())
    assert resumed >= 20


def test_who_gives_up_waiting_leaves_no_slot_taken():
    async def main():
        pace = RateController(1)
        async with pace.turn():
            waiting = asyncio.ensure_future(hold(pace))
            await asyncio.sleep(1)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(10), pace.turn():
            return True

    async def hold(pace):
        async with pace.turn():
            await asyncio.sleep(100)

    assert in_virtual_time(main())[0]


def outage(seconds, step, *, workers=16, calls=200):
    """Calls of ``workers`` to a server that takes none for so long: refusals, time of the first answer and the end."""

    async def main():
        pace, todo, refused, answered = RateController(workers), iter(range(calls)), [], []
        now = asyncio.get_running_loop().time
        began = now()

        async def worker():
            for _ in todo:
                while True:
                    async with pace.turn() as turn:
                        await asyncio.sleep(0.1)
                        if now() - began >= seconds:
                            turn.succeeded()
                            answered.append(now() - began)
                            break
                        refused.append(now() - began)
                        turn.limited(refusal(step=step))

        await asyncio.gather(*(worker() for _ in range(workers)))
        return refused, answered

    return in_virtual_time(main())[0]


@pytest.mark.parametrize(("step", "soon"), [("slow-down", 10.5), ("wait", 11.5)])
def test_a_server_that_refuses_everything_for_a_minute_is_asked_seldom_and_used_fully_soon_after(step, soon):
    alone, _ = outage(60, step, workers=1, calls=1)
    assert len(alone) <= 11
    refused, answered = outage(60, step)
    assert len(refused) <= 16 + 15
    assert answered[0] <= 60 + soon
    full = [one for one in answered if one <= answered[0] + 10]
    assert len(full) == 200  # 16 at a time of a tenth of a second


def test_a_long_wait_is_told_with_who_waits_for_what(caplog):
    async def main():
        pace = RateController(4, name="qwen at http://localhost:8000/v1")
        for _ in range(5):
            async with pace.turn() as turn:
                turn.limited(CallFault("server", "HTTP 503: Loading model", step="wait"))
        async with pace.turn() as turn:
            turn.succeeded()
        return pace.refusal

    assert in_virtual_time(main())[0] is None
    told = [record.getMessage() for record in caplog.records]
    assert 1 <= len(told) <= 3
    assert told[0].startswith("waiting for qwen at http://localhost:8000/v1: HTTP 503: Loading model (")
