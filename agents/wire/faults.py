"""What can go wrong with a call, as one exception that holds neither key nor image."""

import re
from collections.abc import Iterable

from doubleread.core.opinion import AbstentionCause, Usage

MAX_DETAIL = 200
_SECRETS = re.compile(r"(?i)\b(bearer\s+)\S+|\bsk-[\w*.-]{4,}|data:image/[^\s\"']+|\b[A-Za-z0-9+/]{200,}={0,2}")


class CallFault(Exception):
    """A call that gave no usable answer.

    ``retryable``: the same call may succeed later. ``limited``: the server asks for fewer calls, after
    ``retry_after`` seconds where it says so. ``usage`` is what the call used all the same.
    """

    def __init__(
        self,
        cause: AbstentionCause,
        detail: str,
        *,
        retryable: bool = False,
        limited: bool = False,
        retry_after: float | None = None,
        usage: Usage | None = None,
        request_id: str | None = None,
    ) -> None:
        self.cause: AbstentionCause = cause
        self.detail = detail
        self.retryable, self.limited, self.retry_after = retryable, limited, retry_after
        self.usage, self.request_id = usage or Usage(), request_id
        super().__init__(f"{cause}: {detail}")


def harmless(text: str, secrets: Iterable[str] = ()) -> str:
    """One line of at most 200 characters with keys, bearer tokens and image data taken out."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "…")
    return printable(_SECRETS.sub("…", text))[:MAX_DETAIL]


def printable(text: str) -> str:
    """One line without control characters: what a server or model says may be printed on a terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
