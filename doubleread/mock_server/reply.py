"""What the server is told to say."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Received:
    """A request as it came in; header names are in lower case, ``at`` is in monotonic seconds."""

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    at: float


@dataclass(frozen=True)
class Reply:
    """A well-formed answer."""

    text: str = ""
    finish_reason: str = "stop"
    refusal: str | None = None
    model: str = "mock-1"
    input_tokens: int = 100
    output_tokens: int = 20
    cached_tokens: int = 0
    logprobs: tuple[tuple[tuple[str, float], ...], ...] = ()
    """For each token its alternatives with their log-probability, the chosen one first."""
    probabilities: dict[str, float] = field(default_factory=dict)
    """Class probabilities, for ``/decisions``."""
    delay_s: float = 0.0


@dataclass(frozen=True)
class Fault:
    """A failure by name, one of ``faults.FAULTS``."""

    name: str
    retry_after: float | None = None
    status: int = 500
    message: str = ""
