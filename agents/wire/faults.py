"""The exception for failed calls, and functions that remove keys and images from texts."""

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

from doubleread.core.opinion import Abstention, AbstentionCause, Usage

MAX_DETAIL = 200
_LOOKED_AT = 20_000
"""Characters of a text that are searched for secrets and shortened to one line."""
_SHORTEST_SECRET = 8
"""Shorter keys are no secrets (``none``, ``EMPTY``) and may be words; ``harmless`` removes only their exact form."""
_SECRETS = re.compile(r"(?i)\b(bearer\s+)\S+|\bsk-[\w*.-]{4,}|data:image/[^\s\"']+|\b[A-Za-z0-9+/]{200,}={0,2}")


NextStep = Literal["stop", "repeat", "wait", "slow-down"]
"""What can be done about a call that failed.

``stop``: nothing, the same call would fail again. ``repeat``: a repetition may succeed (``attempts`` bounds them).
``wait``: the server is not ready, as while it loads a model; calls may succeed later, until the deadline.
``slow-down``: the server asks for fewer calls; the call may succeed at a lower rate, until the deadline.
"""


class CallFault(Exception):
    """A call without a usable answer.

    ``retry_after`` is the number of seconds that the server asks to wait, if it says so. ``free``: the server rejected
    the call, which costs nothing. ``usage`` is what it used.
    """

    def __init__(
        self,
        cause: AbstentionCause,
        detail: str,
        *,
        step: NextStep = "stop",
        free: bool = False,
        retry_after: float | None = None,
        usage: Usage | None = None,
        request_id: str | None = None,
    ) -> None:
        self.cause: AbstentionCause = cause
        self.detail = detail
        self.step: NextStep = step
        self.free, self.retry_after = free, retry_after
        self.usage, self.request_id = usage or Usage(), request_id
        super().__init__(f"{cause}: {detail}")

    def with_usage(self, usage: Usage) -> "CallFault":
        """Copies the fault with another usage: one call may fail several callers, and only one of them pays."""
        return CallFault(
            self.cause,
            self.detail,
            step=self.step,
            free=self.free,
            retry_after=self.retry_after,
            usage=usage,
            request_id=self.request_id,
        )

    def abstention(self, agent: str) -> Abstention:
        """Converts the fault to the agent's abstention."""
        return Abstention(
            agent=agent, cause=self.cause, detail=self.detail, usage=self.usage, request_id=self.request_id
        )


def harmless(text: str, secrets: Sequence[str] = ()) -> str:
    """Returns one line of at most 200 characters, without keys, bearer tokens and image data."""
    text = masked(text, secrets)
    for secret in filter(None, secrets):
        text = text.replace(secret, "…")
    return printable(_SECRETS.sub("…", text[:_LOOKED_AT]))[:MAX_DETAIL]


def masked(text: str, secrets: Iterable[str]) -> str:
    """Removes secrets, also in other case, broken by blanks, percent-encoded, hexadecimal or in Base64."""
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = _forms(secret).sub("…", text)
    return text


def printable(text: str) -> str:
    """Returns one line without control characters, safe to print on a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@lru_cache(maxsize=64)
def _forms(secret: str) -> re.Pattern[str]:
    spelled = r"\s*".join(f"(?:{re.escape(c)}|{''.join(f'%{byte:02x}' for byte in c.encode())})" for c in secret)
    data = secret.encode()
    encoded = [data.hex()]
    for before in range(3):  # Base64 within a longer text: the part that does not depend on the bytes around it
        whole = b64encode(bytes(before) + data).decode().rstrip("=")
        encoded.append(whole[-(-before * 8 // 6) : (before + len(data)) * 8 // 6])
    return re.compile("|".join([spelled, *map(re.escape, encoded)]), re.IGNORECASE)
