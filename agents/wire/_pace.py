"""Limits how fast a model is called: a concurrency cap, and a rate that adapts to the server's refusals.

The rate is that of a token bucket. It doubles until the first refusal (slow start), is then cut to the measured rate of
answers, and grows slowly from there (additive increase, multiplicative decrease; Chiu & Jain 1989). A rate slightly
above the server's limit costs an occasional refusal; a lower one would cost time on every call.

A server that answers nothing at all, since it refuses every call or is still loading, is asked by one call at a time,
with pauses that double. The first answer ends this, and the rate grows as at the start.
"""

import asyncio
import logging
import math
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from doubleread.agents.wire.faults import CallFault, NextStep

_log = logging.getLogger(__name__)
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
PAUSES: dict[NextStep, tuple[float, float]] = {"slow-down": (0.5, 9.0), "wait": (2.0, 10.0)}
"""First and longest pause in seconds while a server answers nothing, by what it asks for."""
OUTAGE_S, AFTERWARDS = 4.0, 2.0
"""After so many seconds without any answer the rate starts again, at this many calls a second."""
TOLD_S, AGAIN_S = 3.0, 15.0
"""A wait of so many seconds is told, and told again."""
BURST_S = 1.0
"""Seconds of unused rate that can be made up for, for example after a pause."""


@dataclass(frozen=True)
class PaceSlot:
    """One call's turn; its callbacks report the server's response."""

    succeeded: Callable[[], None]
    """Call when the server answered."""
    limited: Callable[[CallFault], None]
    """Call when the server asked for fewer calls or is not ready."""


class RateController:
    """The rate of one model on one server, for one event loop. Waiting is first come, first served.

    ``requests_per_minute`` is never exceeded; without it only the server's refusals limit the rate. ``name`` says what
    is waited for.
    """

    def __init__(self, in_flight: int, requests_per_minute: float | None = None, name: str = "the server") -> None:
        self._name = name
        self._fastest = FASTEST if requests_per_minute is None else requests_per_minute / 60
        self._rate = min(START, self._fastest)
        self._slots, self._queue = asyncio.Semaphore(in_flight), asyncio.Lock()
        now = _now()
        self._tokens, self._filled, self._grown = self._rate if requests_per_minute is None else 1.0, now, now
        self._resume = self._asked = self._settled = now
        self._starting, self._held_back = True, False
        self._answers: deque[float] = deque()
        self._latency = 0.0
        self._inside: dict[object, float] = {}
        self._answered_since_cut, self._cut_at = False, math.inf
        self._silent, self._silent_since, self._told = 0, now, now
        self.refusal: CallFault | None = None
        """What the server says while it answers nothing; None while it answers."""

    @property
    def resumes(self) -> float:
        """Time of the event loop before which no call is sent."""
        return self._resume

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[PaceSlot]:
        """Waits for a slot and for the rate; while the server answers nothing, one call at a time has its turn."""
        async with self._slots, AsyncExitStack() as queue:
            await queue.enter_async_context(self._queue)
            await self._token()
            if not self._silent:
                await queue.aclose()
            began, call = _now(), object()
            self._inside[call] = began
            try:
                yield PaceSlot(lambda: self._answered(began), lambda fault: self._refused(fault, began))
            finally:
                del self._inside[call]

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
        self._answered_since_cut = True
        if self._silent:
            self._end_silence(now)
        self._latency += (now - began - self._latency) * (0.2 if self._latency else 1)
        self._answers.append(now)
        step = max(STEP_S, self._latency) if self._starting else STEP_S
        if now >= self._settled and now - self._grown >= step and self._held_back:
            self._rate = min(self._fastest, self._rate * (2 if self._starting else GROWTH))
            self._grown, self._held_back = now, False

    def _refused(self, fault: CallFault, began: float) -> None:
        now = _now()
        if self._silent and began < self._cut_at:
            return  # sent before the last refusal
        if fault.retry_after:
            self._asked = max(self._asked, now + min(fault.retry_after, LONGEST_PAUSE_S))
            self._resume = max(self._resume, self._asked)
        if self._answers_nothing():
            self._stay_silent(now, fault)
            return
        if now < self._settled:
            return
        self._answered_since_cut, self._cut_at = False, now
        self._rate = max(SLOWEST, DEEPEST_CUT * self._rate, min(self._rate, self._measured(now)))
        self._tokens, self._starting = 0.0, False
        self._settled = now + SETTLE_S

    def _answers_nothing(self) -> bool:
        """Whether no call was answered since the last cut, and none from before it may still be."""
        alone = len(self._inside) == 1 or min(self._inside.values()) >= self._cut_at
        return alone and not self._answered_since_cut

    def _stay_silent(self, now: float, fault: CallFault) -> None:
        """Pauses, longer each time."""
        self._cut_at = now
        if not self._silent:
            self._silent_since = self._told = now
        self._silent, self.refusal = self._silent + 1, fault
        first, longest = PAUSES[fault.step]
        pause = min(longest, first * 2.0 ** (self._silent - 1)) * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
        self._resume = max(self._resume, now + (0 if fault.retry_after else pause))
        self._tokens = 1.0
        self._tell(now, fault)

    def _tell(self, now: float, fault: CallFault) -> None:
        """Logs who waits for what, now and then."""
        pause, waited = self._resume - now, now - self._silent_since
        first = self._told == self._silent_since and waited + pause >= TOLD_S
        if first or now - self._told >= AGAIN_S:
            self._told = now + 1e-9
            so_far = f"{waited:.0f} s so far, next try in {pause:.0f} s"
            _log.warning("waiting for %s: %s (%s)", self._name, fault.detail, so_far)

    def _end_silence(self, now: float) -> None:
        if now - self._silent_since >= OUTAGE_S:
            self._rate = min(self._fastest, max(self._rate, AFTERWARDS))
            self._starting, self._held_back = True, True
        self._silent, self.refusal, self._resume = 0, None, self._asked

    def _measured(self, now: float) -> float:
        """Recent answers per second."""
        window = max(WINDOW_S, self._latency)
        while self._answers and self._answers[0] < now - window:
            self._answers.popleft()
        return len(self._answers) / window


def _now() -> float:
    """Time of the event loop, the clock that sleeping uses."""
    return asyncio.get_running_loop().time()
