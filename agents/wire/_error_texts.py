"""Finds what a server said in the body of a refusal, whatever its shape."""

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from doubleread.agents.wire.faults import CallFault
from doubleread.agents.wire.values import parsed
from doubleread.core.types import Json

_MESSAGES = (
    "message",
    "msg",
    "detail",
    "details",
    "error",
    "errors",
    "error_description",
    "error_message",
    "errormessage",
    "error_msg",
    "description",
    "reason",
    "title",
    "metadata",
    "raw",
    "cause",
    "innererror",
    "inner_error",
    "body",
    "fault",
    "faultstring",
    "response",
    "quotaid",
    "retrydelay",
)
"""Keys whose texts are read. Others may repeat the question: ``input`` (FastAPI), ``failed_generation`` (Groq)."""
_CODES = ("code", "type", "status", "error_code", "errorcode", "error_type", "reason")
_PARAMS = ("param", "parameter", "field")
MAX_DEPTH, MAX_TEXTS = 6, 12
_LOOKED_AT = 20_000
_TITLE = re.compile(r"<(title|h1)[^>]*>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<(script|style).*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)
_MARKUP = re.compile(r"\s*<(!doctype|html|\?xml|head|body)", re.IGNORECASE)


def error_of(content: bytes) -> Json:
    """Returns ``message``, ``code``, ``type`` and ``param`` of the body of a refusal, as far as it has them."""
    try:
        body = parsed(content)
    except CallFault:
        return _plain(content[:_LOOKED_AT].decode("utf-8", "replace"))
    return error_in(body)


def error_in(body: Any) -> Json:
    """``error_of`` for parsed JSON."""
    found: dict[str, list[str]] = {"message": [], "code": [], "param": []}
    _collect(body, found, 0)
    texts = list(dict.fromkeys(found["message"]))[:MAX_TEXTS]
    whole = [one for one in texts if not any(one != other and one in other for other in texts)]
    error = {"message": ": ".join(whole), "code": _first(found["code"]), "param": ", ".join(found["param"])}
    return {**error, "type": " ".join(dict.fromkeys(found["code"]))}


def _collect(value: Any, found: dict[str, list[str]], depth: int) -> None:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, str):
        inner = _nested(value)
        if inner is not None:
            _collect(inner, found, depth + 1)
        elif text := " ".join(value[:_LOOKED_AT].split()):
            found["message"].append(text)
    elif isinstance(value, list):
        for one in value[:MAX_TEXTS]:
            _collect(one, found, depth + 1)
    elif isinstance(value, dict):
        _collect_object(value, found, depth)


def _collect_object(value: Json, found: dict[str, list[str]], depth: int) -> None:
    value = {key.lower(): one for key, one in value.items()}
    loc = value.get("loc")
    place = ".".join(map(str, loc[:MAX_DEPTH])) if isinstance(loc, list) else loc if isinstance(loc, str) else ""
    if place:
        found["param"].append(place)
    found["code"] += [str(one) for one in _scalars(value, _CODES)]
    found["param"] += [one for one in _scalars(value, _PARAMS) if isinstance(one, str)]
    before = len(found["message"])
    for name in _MESSAGES:
        if name in value:
            _collect(value[name], found, depth + 1)
    if place and len(found["message"]) > before:
        found["message"][before] = f"{place}: {found['message'][before]}"


def _scalars(value: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str | int]:
    for name in names:
        one = value.get(name)
        if (isinstance(one, str) and one and len(one) < _LOOKED_AT) or (isinstance(one, int) and one is not True):
            yield one


def _nested(text: str) -> Any:
    """JSON that a proxy put into a text, possibly after words of its own; None if there is none."""
    start = min((at for at in (text.find("{"), text.find("[{")) if at >= 0), default=-1)
    if start < 0 or len(text) > _LOOKED_AT:
        return None
    try:
        inner, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return None
    before = text[:start].strip(" :-\"'b")
    return [before, inner] if before else inner


def _plain(text: str) -> Json:
    """Text of a page or of plain words."""
    if _MARKUP.match(text):
        titles = dict.fromkeys(" ".join(found[2].split()) for found in _TITLE.finditer(text))
        text = ": ".join(filter(None, titles)) or _TAG.sub(" ", text)
    return {"message": " ".join(html.unescape(text).split())} if text.strip() else {}


def _first(codes: list[str]) -> str:
    """The most telling code: words before numbers."""
    return next((one for one in codes if not one.isdigit()), codes[0] if codes else "")
