"""Parses replies of the OpenAI protocol: any body becomes a ``Completion`` or a ``CallFault``.

A server may be broken or hostile: each value is checked where it is used, and sizes are limited.
"""

from collections.abc import Sequence
from typing import Any

from doubleread.agents.wire._responses import as_chat
from doubleread.agents.wire.decisions import decided
from doubleread.agents.wire.faults import CallFault, harmless
from doubleread.agents.wire.refusals import error_in, fault_of_status, status_of
from doubleread.agents.wire.request import Alternative, Completion, ToolCall
from doubleread.agents.wire.values import is_number, object_of, said, text_of
from doubleread.core.opinion import Usage
from doubleread.core.types import Json

MAX_TEXT = 500_000
"""Characters of an answer's text."""
MAX_TOKENS, MAX_ALTERNATIVES = 4096, 21
"""Tokens whose alternatives are read, and alternatives of one: 20, plus the chosen one if it is not among them."""
MAX_TOOL_CALLS, MAX_ARGUMENTS = 16, 20_000
"""Function calls per answer, and characters of the arguments of one."""
_THOUGHTS = ("reasoning_content", "reasoning", "thinking")
"""Fields of a message for thoughts (DeepSeek and vLLM, OpenRouter and Ollama, others)."""
_FILTERED = frozenset({"content_filter", "safety", "recitation", "prohibited_content", "blocklist", "spii"})
_CUT_OFF = frozenset({"length", "max_tokens", "max_output_tokens"})
MAX_COUNT = 10_000_000
"""Largest plausible token count of a single call."""


def completion_of(body: Any, request_id: str | None = None, secrets: Sequence[str] = ()) -> Completion:
    """Parses the body of a 200 from any of the APIs; removes ``secrets`` from every text.

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
        raise CallFault("server", f"the answer is a JSON {type(body).__name__}, not an object", step="repeat")
    found = found.model_copy(update={"model": said(body.get("model"), secrets)})
    if isinstance(body.get("answers"), list | dict):
        return decided(body["answers"], found, secrets)
    if isinstance(body.get("output"), list):
        body = as_chat(body)
    choice = _first_choice(body, secrets)
    message = object_of(choice.get("message"))
    _check_finish(choice, message, found.usage, secrets)
    text, calls = text_of(message.get("content")), _tool_calls(message.get("tool_calls"), secrets)
    if len(text) > MAX_TEXT:
        raise CallFault("server", f"the answer's text has {len(text):,} characters; at most {MAX_TEXT:,} are read")
    if not text.strip() and not calls:
        text = _in_thoughts(message)
    words = said(text, secrets, MAX_TEXT)
    return found.model_copy(update={"text": words, "tokens": _tokens(choice), "tool_calls": calls})


def _first_choice(body: Json, secrets: Sequence[str]) -> Json:
    choices = body.get("choices")
    choice = object_of(choices[0]) if isinstance(choices, list) and choices else {}
    error = body.get("error") or choice.get("error")
    if choice and not error:
        return choice
    if error:  # some gateways send their upstream server's error with status 200
        raise fault_of_status(status_of(object_of(error).get("code"), 502), error_in(error), None, secrets)
    raise CallFault("server", "the answer holds no choices", step="repeat")


def _check_finish(choice: Json, message: Json, usage: Usage, secrets: Sequence[str]) -> None:
    if refusal := message.get("refusal"):
        raise CallFault("refusal", harmless(text_of(refusal) or "the model declined the question", secrets))
    finish = choice.get("finish_reason")
    if str(finish).lower() in _FILTERED:
        raise CallFault("filter", "a content filter stopped the answer")
    if str(finish).lower() in _CUT_OFF and not _closed(text_of(message.get("content"))):
        raise CallFault("length", f"cut off after {usage.output_tokens} tokens: raise max_tokens")


def _closed(text: str) -> bool:
    """Whether a text holds an object whose brackets are all closed, so that nothing of the answer is missing."""
    return 0 < text.count("{") <= text.count("}")


def _in_thoughts(message: Json) -> str:
    """The answer, if the server put it into a field for thoughts. Raises ``CallFault`` if there is none."""
    details = message.get("reasoning_details")
    fields = [message.get(name) for name in _THOUGHTS] + [details if isinstance(details, list) else None]
    thoughts = next((found for one in fields if (found := text_of(one)).strip()), "")
    if _closed(thoughts):
        return thoughts
    if thoughts:
        why = f"all of its {len(thoughts):,} characters are thoughts: raise max_tokens, or turn thinking off"
        raise CallFault("invalid-answer", f"the answer is empty; {why}")
    raise CallFault("invalid-answer", "the answer is empty")


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


def _count(counts: Any, *names: str) -> int | None:
    """First of these values that is present; None if it is not a plausible token count."""
    found = (counts.get(name) for name in names) if isinstance(counts, dict) else ()
    value = next((n for n in found if n is not None), None)
    if value is None or not is_number(value) or not 0 <= value <= MAX_COUNT or value != int(value):
        return None
    return int(value)
