"""Checks of untrusted JSON values."""

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from doubleread.agents.wire.faults import CallFault, harmless, masked
from doubleread.core.errors import FileError
from doubleread.core.safe_files import MAX_DIGITS, check_json
from doubleread.core.types import Json

MAX_CONTAINERS = 400_000
"""Most objects and lists in a body, of up to 250 bytes each: 4,096 tokens with 20 alternatives have 170,000."""
MAX_NAME = 200
_UNSAYABLE = re.compile("[\x00\ud800-\udfff]")
"""Characters that are valid in JSON but not in UTF-8 or a database."""


def parsed(content: bytes, media_type: str = "") -> Any:
    """Parses a JSON body; raises ``CallFault``.

    NaN, infinities and overlong integers are refused only where they are used, so the rest of an answer stays usable.
    """
    if content.count(b"{") + content.count(b"[") > MAX_CONTAINERS:
        raise CallFault("server", "the answer is JSON of too many parts")
    try:
        check_json(content, "the answer")
        return json.loads(content.decode("utf-8-sig"), parse_int=_integer, parse_constant=lambda _: math.nan)
    except FileError as error:
        raise CallFault("server", harmless(str(error)), step="repeat") from None
    except (ValueError, RecursionError):
        kind = f" ({harmless(media_type)})" if media_type else ""
        raise CallFault("server", f"the answer is not JSON{kind}", step="repeat") from None


def object_of(value: Any) -> Json:
    """The object, or an empty one."""
    return value if isinstance(value, dict) else {}


def text_of(content: Any) -> str:
    """A text, possibly given in parts; empty for anything else."""
    if isinstance(content, list):  # some servers send parts
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def said(value: Any, secrets: Sequence[str], limit: int = MAX_NAME) -> str:
    """Converts a string or number to text that can be stored and sent; empty for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return masked(_UNSAYABLE.sub("\N{REPLACEMENT CHARACTER}", value), secrets)[:limit] if isinstance(value, str) else ""


def is_number(value: Any) -> bool:
    """Whether the value is a finite number and not a bool."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else math.nan
