"""Parses replies and refusals of the OpenAI protocol: any body becomes a ``Completion`` or a ``CallFault``.

A server may be broken or hostile: each value is checked where it is used, and sizes are limited.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from doubleread.agents.wire.faults import MAX_DETAIL, CallFault, harmless
from doubleread.agents.wire.request import Alternative, Completion, ToolCall
from doubleread.agents.wire.values import is_number, object_of, parsed, said, text_of
from doubleread.core.opinion import Usage
from doubleread.core.types import Json

MAX_TEXT = 500_000
"""Characters of an answer's text."""
MAX_TOKENS, MAX_ALTERNATIVES = 4096, 21
"""Tokens whose alternatives are read, and alternatives of one: 20, plus the chosen one if it is not among them."""
MAX_CHOICES = 1000
"""Class probabilities of an answer."""
MAX_TOOL_CALLS, MAX_ARGUMENTS = 16, 20_000
"""Function calls per answer, and characters of the arguments of one."""
MAX_COUNT = 10_000_000
"""Largest plausible token count of a single call."""
_LOOKED_AT = 100 * MAX_DETAIL


def completion_of(body: Any, request_id: str | None = None, secrets: Sequence[str] = ()) -> Completion:
    """Parses the body of a 200 from either API; removes ``secrets`` from every text.

    Raises ``CallFault``, with the usage, if there is no answer in it.
    """
    usage = usage_of(body.get("usage")) if isinstance(body, dict) else Usage(calls=1)
    request_id = None if request_id is None else said(request_id, secrets)
    try:
        return _completion(body, Completion(text="", request_id=request_id, usage=usage), secrets)
    except CallFault as fault:
        fault.usage, fault.request_id = usage, request_id
        raise


def usage_of(usage: Any) -> Usage:
    """Returns the reported tokens, from either API's fields, without cost; 0 if none are plausible."""
    if not isinstance(usage, dict):
        return Usage(calls=1)
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    tokens = _count(usage, "prompt_tokens", "input_tokens"), _count(usage, "completion_tokens", "output_tokens")
    if None in tokens:
        return Usage(calls=1)
    return Usage(
        input_tokens=tokens[0] or 0,
        output_tokens=tokens[1] or 0,
        cached_tokens=_count(details, "cached_tokens") or 0,
        image_tokens=_count(details, "image_tokens") or 0,
        calls=1,
    )


def _completion(body: Any, found: Completion, secrets: Sequence[str]) -> Completion:
    if not isinstance(body, dict):
        raise CallFault("server", f"the answer is a JSON {type(body).__name__}, not an object", retryable=True)
    found = found.model_copy(update={"model": said(body.get("model"), secrets)})
    if isinstance(body.get("answers"), list):
        return _decision(body["answers"], found, secrets)
    choice = _first_choice(body, secrets)
    message = object_of(choice.get("message"))
    _check_finish(choice, message, found.usage, secrets)
    text, calls = text_of(message.get("content")), _tool_calls(message.get("tool_calls"), secrets)
    if len(text) > MAX_TEXT:
        raise CallFault("server", f"the answer's text has {len(text):,} characters; at most {MAX_TEXT:,} are read")
    if not text.strip() and not calls:
        raise CallFault("server", "the answer is empty", retryable=True)
    words = said(text, secrets, MAX_TEXT)
    return found.model_copy(update={"text": words, "tokens": _tokens(choice), "tool_calls": calls})


def _first_choice(body: Json, secrets: Sequence[str]) -> Json:
    choices = body.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    error = body.get("error")
    if isinstance(error, dict):  # some gateways send their upstream server's error with status 200
        raise fault_of_status(status_of(error.get("code"), 502), error, None, secrets)
    raise CallFault("server", "the answer holds no choices", retryable=True)


def _check_finish(choice: Json, message: Json, usage: Usage, secrets: Sequence[str]) -> None:
    if refusal := message.get("refusal"):
        raise CallFault("refusal", harmless(text_of(refusal) or "the model declined the question", secrets))
    finish = choice.get("finish_reason")
    if finish == "content_filter":
        raise CallFault("filter", "a content filter stopped the answer")
    if finish == "length":
        raise CallFault("length", f"cut off after {usage.output_tokens} tokens: raise max_tokens")


def _decision(answers: Sequence[Any], found: Completion, secrets: Sequence[str]) -> Completion:
    first = next((answer for answer in answers if isinstance(answer, dict)), {})
    if first.get("type") == "refusal":
        raise CallFault("refusal", "the model declined the question")
    rows = first.get("probabilities")
    if not isinstance(rows, list) or len(rows) > MAX_CHOICES:
        raise CallFault("invalid-answer", "the answer holds no probabilities")
    shares = {said(object_of(row).get("value"), secrets): _share(object_of(row).get("probability")) for row in rows}
    if len(shares) < len(rows):
        raise CallFault("invalid-answer", "an option is given two probabilities")
    return found.model_copy(update={"text": said(first.get("choice"), secrets), "probabilities": shares})


def _share(value: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise CallFault("invalid-answer", harmless(f"{_brief(value)} is no probability"))
    return float(value)


def _tool_calls(calls: Any, secrets: Sequence[str]) -> tuple[ToolCall, ...]:
    found = [object_of(call) for call in calls[:MAX_TOOL_CALLS]] if isinstance(calls, list) else []
    asked = [(call, object_of(call.get("function"))) for call in found]
    return tuple(
        ToolCall(
            id=said(call.get("id"), secrets),
            name=name,
            arguments=said(function.get("arguments"), secrets, MAX_ARGUMENTS),
        )
        for call, function in asked
        if (name := said(function.get("name"), secrets))
    )


def _tokens(choice: Json) -> tuple[tuple[Alternative, ...], ...]:
    """Alternatives of each token; empty if those of any token are unreadable."""
    rows = object_of(choice.get("logprobs")).get("content")
    found = tuple(_alternatives(object_of(row)) for row in rows[:MAX_TOKENS]) if isinstance(rows, list) else ()
    return found if all(found) else ()


def _alternatives(row: Json) -> tuple[Alternative, ...]:
    top = row.get("top_logprobs")
    asked = [object_of(a) for a in top[:MAX_ALTERNATIVES]] if isinstance(top, list) and top else [row]
    return tuple(
        Alternative(token=said(a["token"], ()), logprob=float(a["logprob"]))
        for a in asked
        if isinstance(a.get("token"), str) and is_number(a.get("logprob"))
    )


def _brief(value: Any) -> str:
    return str(value) if isinstance(value, bool | int | float | str | None) else f"a JSON {type(value).__name__}"


def _count(counts: Any, *names: str) -> int | None:
    """First of these values that is present; None if it is not a plausible token count."""
    found = (counts.get(name) for name in names) if isinstance(counts, dict) else ()
    value = next((n for n in found if n is not None), None)
    if value is None or not is_number(value) or not 0 <= value <= MAX_COUNT or value != int(value):
        return None
    return int(value)


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
        return CallFault("rate-limit", detail, retryable=True, limited=True, request_id=request_id, free=True)
    if status in (408, 409) or status >= 500:
        return CallFault("server", detail, retryable=True, request_id=request_id)
    causes = {401: "authentication", 403: "authentication", 404: "not-found"}
    cause: Any = causes.get(status, "bad-request")
    return CallFault(cause, detail, request_id=request_id, free=True)


def status_of(value: Any, otherwise: int) -> int:
    """HTTP status that an error body states, as a number or its digits; ``otherwise`` if it is none."""
    if isinstance(value, str) and re.fullmatch("[1-5][0-9]{2}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599 else otherwise
