"""Reads refusals: the body of any status that is no 2xx becomes a ``CallFault`` with its cause and the next step.

What bodies mean is data, in ``refusals.toml``; each row names where such bodies were found.
"""

import math
import re
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache, cached_property
from importlib.resources import files
from typing import Any, Literal

from doubleread.agents.wire._error_texts import error_in, error_of
from doubleread.agents.wire.faults import MAX_DETAIL, CallFault, NextStep, harmless
from doubleread.agents.wire.values import said
from doubleread.core.base import Record
from doubleread.core.opinion import AbstentionCause

_LOOKED_AT = 100 * MAX_DETAIL
_HUNDRED = 100
_DELAY = re.compile(
    r"(?:try(?: again)?|retry(?:ing)?|wait)(?: again)?(?: in| after| for)?:? (?:about )?"
    r"(?=\d)(?:(\d{1,4})h ?)?(?:(\d{1,4})m(?!s) ?)?(?:(\d{1,6}(?:\.\d{1,9})?) ?(ms|s(?:ec(?:ond)?s?)?))?\b",
    re.IGNORECASE,
)


class Meaning(Record):
    """One row of the table: which refusals it fits, and what they mean."""

    about: str
    status: tuple[int | Literal["4xx", "5xx"], ...] = ("4xx", "5xx")
    code: str = ""
    text: str = ""
    cause: AbstentionCause
    next: NextStep
    remedy: str = ""
    source: str
    known: Literal["seen", "thread", "docs"]

    def fits(self, status: int, code: str, text: str) -> bool:
        """Whether status, codes and texts of a refusal match this row."""
        if status not in self.status and f"{status // _HUNDRED}xx" not in self.status:
            return False
        return bool(self._code.search(code) and self._text.search(text))

    @cached_property
    def _code(self) -> re.Pattern[str]:
        return re.compile(self.code, re.IGNORECASE)

    @cached_property
    def _text(self) -> re.Pattern[str]:
        return re.compile(self.text, re.IGNORECASE)


UNKNOWN = Meaning(about="refused", cause="bad-request", next="stop", source="all", known="seen")


@cache
def meanings() -> tuple[Meaning, ...]:
    """The table, in order: the first row that fits decides."""
    table = tomllib.loads(files("doubleread.agents.wire").joinpath("refusals.toml").read_text(encoding="utf-8"))
    return tuple(Meaning.model_validate(row) for row in table["row"])


def meaning_of(status: int, error: Mapping[str, Any]) -> Meaning:
    """Returns the row for a status and the error as ``error_of`` returns it; ``UNKNOWN`` if none fits."""
    codes = " ".join(str(error.get(name) or "") for name in ("code", "type", "param"))
    text = f"{str(error.get('message') or '')[:_LOOKED_AT]} {codes}"
    return next((row for row in meanings() if row.fits(status, codes, text)), UNKNOWN)


def fault_of_status(
    status: int, error: Mapping[str, Any], request_id: str | None = None, secrets: Sequence[str] = ()
) -> CallFault:
    """Converts an HTTP status and the error in its body, of any shape, to a fault."""
    if not _is_read(error):
        error = error_in(error)
    meaning = meaning_of(status, error)
    code, kind = (said(error.get(name), secrets) for name in ("code", "type"))
    message = said(error.get("message"), secrets, _LOOKED_AT) or f"no message ({meaning.about})"
    remedy = f" ({meaning.remedy})" if meaning.remedy else ""
    named = f" {code or kind}" if (code or kind) not in ("", str(status)) else ""
    detail = harmless(f"HTTP {status}{named}: {message}", secrets)[: MAX_DETAIL - len(remedy)] + remedy
    request_id = None if request_id is None else said(request_id, secrets)
    free = status < 5 * _HUNDRED and status not in (408, 409)
    return CallFault(meaning.cause, detail, step=meaning.next, request_id=request_id, free=free)


def retry_after(headers: Mapping[str, str], error: Mapping[str, Any]) -> float | None:
    """Returns the seconds that a refusal asks to wait, in its headers (milliseconds, seconds, a date) or its words."""
    said, seconds = headers.get("retry-after", ""), math.nan
    with suppress(ValueError, TypeError, IndexError, OverflowError, AttributeError):  # not a date
        seconds = (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds()
    with suppress(ValueError):
        seconds = float(said)
    with suppress(ValueError, KeyError):
        seconds = float(headers["retry-after-ms"]) / 1000
    return max(0.0, seconds) if math.isfinite(seconds) else stated_delay(str(error.get("message") or ""))


def stated_delay(text: str) -> float | None:
    """Returns the seconds that a refusal asks to wait in words, as in ``try again in 1m4.5s``, or None."""
    found = _DELAY.search(text)
    if found is None:
        return None
    hours, minutes, number, unit = found.groups()
    seconds = float(number or 0) / (1000 if unit == "ms" else 1)
    return 3600 * float(hours or 0) + 60 * float(minutes or 0) + seconds


def status_of(value: Any, otherwise: int) -> int:
    """HTTP status that an error body states, as a number, digits or a name; ``otherwise`` if it is none."""
    if isinstance(value, str) and value.startswith("rate_limit"):
        return 429
    if isinstance(value, str) and re.fullmatch("[1-5][0-9]{2}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599 else otherwise


def _is_read(error: Mapping[str, Any]) -> bool:
    """Whether ``error_of`` returned this error, so that all its values are plain."""
    return all(isinstance(value, str) for value in error.values())


__all__ = [
    "Meaning",
    "error_in",
    "error_of",
    "fault_of_status",
    "meaning_of",
    "meanings",
    "retry_after",
    "stated_delay",
    "status_of",
]
