"""Limits how fast a model is called: a concurrency cap, and a rate that adapts to the server's refusals.

The rate is that of a token bucket. It doubles until the first refusal (slow start), is then cut to the measured rate of
answers, and grows slowly from there (additive increase, multiplicative decrease; Chiu & Jain 1989). A rate slightly
above the server's limit costs an occasional refusal; a lower one would cost time on every call.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

START = 32.0
"""Initial calls per second."""
SLOWEST, FASTEST = 0.05, 10_000.0
STEP_S = 0.25
"""Least seconds between two increases of the rate."""
GROWTH = 1.03
DEEPEST_CUT = 0.7
"""Least share of the rate that a cut to the measured rate leaves: answers lag behind requests."""
WINDOW_S = 1.0
"""Seconds over which answers are counted, or one answer's latency if that is longer."""
SETTLE_S = 0.5
"""Refusals within these seconds belong to one cut: they were all sent at the old rate."""
LONGEST_PAUSE_S = 120.0
BURST_S = 1.0
"""Seconds of unused rate that can be made up for, for example after a pause."""


@dataclass(frozen=True)
class PaceSlot:
    """One call's turn; its callbacks report the server's response."""

    succeeded: Callable[[], None]
    """Call when the server answered."""
    limited: Callable[[float | None], None]
    """Call when the server asked for fewer calls, with the seconds to wait if it stated them."""


class RateController:
    """The rate of one model on one server, for one event loop. Waiting is first come, first served.

    ``requests_per_minute`` is never exceeded; without it only the server's refusals limit the rate.
    """

    def __init__(self, in_flight: int, requests_per_minute: float | None = None) -> None:
        self._fastest = FASTEST if requests_per_minute is None else requests_per_minute / 60
        self._rate = min(START, self._fastest)
        self._slots, self._queue = asyncio.Semaphore(in_flight), asyncio.Lock()
        now = _now()
        self._tokens, self._filled, self._grown = self._rate if requests_per_minute is None else 1.0, now, now
        self._resume = self._settled = now
        self._starting, self._held_back = True, False
        self._answers: deque[float] = deque()
        self._latency = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[PaceSlot]:
        """Waits for a slot and for the rate."""
        async with self._slots:
            async with self._queue:
                await self._token()
            began = _now()
            yield PaceSlot(lambda: self._answered(began), self._refused)

    async def _token(self) -> None:
        while True:
            now = _now()
            if now < self._resume:
                await asyncio.sleep(self._resume - now)
                continue
            self._tokens = min(max(1.0, BURST_S * self._rate), self._tokens + (now - self._filled) * self._rate)
            self._filled = now
            if self._tokens >= 1:
                self._tokens -= 1
                return
            self._held_back = True
            await asyncio.sleep(max((1 - self._tokens) / self._rate, 1e-4))

    def _answered(self, began: float) -> None:
        now = _now()
        self._latency += (now - began - self._latency) * (0.2 if self._latency else 1)
        self._answers.append(now)
        step = max(STEP_S, self._latency) if self._starting else STEP_S
        if now >= self._settled and now - self._grown >= step and self._held_back:
            self._rate = min(self._fastest, self._rate * (2 if self._starting else GROWTH))
            self._grown, self._held_back = now, False

    def _refused(self, retry_after: float | None) -> None:
        now = _now()
        if retry_after:
            self._resume = max(self._resume, now + min(retry_after, LONGEST_PAUSE_S))
        if now < self._settled:
            return
        self._rate = max(SLOWEST, DEEPEST_CUT * self._rate, min(self._rate, self._measured(now)))
        self._tokens, self._starting = 0.0, False
        self._settled = now + SETTLE_S

    def _measured(self, now: float) -> float:
        """Recent answers per second."""
        window = max(WINDOW_S, self._latency)
        while self._answers and self._answers[0] < now - window:
            self._answers.popleft()
        return len(self._answers) / window


def _now() -> float:
    """Time of the event loop, the clock that sleeping uses."""
    return asyncio.get_running_loop().time()
