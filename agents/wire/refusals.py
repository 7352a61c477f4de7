"""Parses refusals: the body of any status that is no 2xx becomes a ``CallFault`` with its cause and the next step."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from doubleread.agents.wire.faults import MAX_DETAIL, CallFault, harmless
from doubleread.agents.wire.values import parsed, said
from doubleread.core.types import Json

_LOOKED_AT = 100 * MAX_DETAIL


def error_of(content: bytes) -> Json:
    """Error object in the body of a refusal; empty if there is none."""
    try:
        body = parsed(content)
    except CallFault:
        return {}
    error = body.get("error", body) if isinstance(body, dict) else body
    return error if isinstance(error, dict) else {"message": error} if isinstance(error, str) else {}


def fault_of_status(
    status: int, error: Mapping[str, Any], request_id: str | None = None, secrets: Sequence[str] = ()
) -> CallFault:
    """Converts an HTTP status and its error object to a fault."""
    code, kind = (said(error.get(name), secrets) for name in ("code", "type"))
    message = said(error.get("message"), secrets, _LOOKED_AT) or "no message"
    detail = harmless(f"HTTP {status} {code or kind}: {message}", secrets)
    request_id = None if request_id is None else said(request_id, secrets)
    if status == 429 and "insufficient_quota" in (code, kind):
        return CallFault("quota", detail, request_id=request_id, free=True)
    if status == 429:
        return CallFault("rate-limit", detail, step="slow-down", request_id=request_id, free=True)
    if status in (408, 409) or status >= 500:
        return CallFault("server", detail, step="repeat", request_id=request_id)
    causes = {401: "authentication", 403: "authentication", 404: "not-found"}
    cause: Any = causes.get(status, "bad-request")
    return CallFault(cause, detail, request_id=request_id, free=True)


def status_of(value: Any, otherwise: int) -> int:
    """HTTP status that an error body states, as a number or its digits; ``otherwise`` if it is none."""
    if isinstance(value, str) and re.fullmatch("[1-5][0-9]{2}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599 else otherwise
