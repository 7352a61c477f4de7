"""Limits of the mock server on the rate and the number of requests."""

import time
from dataclasses import dataclass


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
