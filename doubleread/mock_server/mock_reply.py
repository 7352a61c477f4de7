"""Replies of the mock server and their form in the protocol."""

import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from doubleread.core.errors import DataError, FileError
from doubleread.core.safe_files import parse_json
from doubleread.core.safe_text import text_lines
from doubleread.mock_server.asked import ParsedRequest

CHARACTERS = 4
"""Characters of a token."""


@dataclass(frozen=True)
class Received:
    """A received request; header names are in lower case, ``at`` is in monotonic seconds.

    ``body`` is empty if it was no JSON object, and ``asked`` is None unless the request can be answered.
    """

    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    at: float
    asked: ParsedRequest | None = None


@dataclass(frozen=True)
class MockReply:
    """A well-formed answer."""

    text: str = ""
    finish_reason: str = "stop"
    refusal: str | None = None
    model: str = "mock-1"
    input_tokens: int = 100
    output_tokens: int | None = None
    """None: 20, or as many as the request allows."""
    cached_tokens: int = 0
    logprobs: tuple[tuple[tuple[str, float], ...], ...] = ()
    """For each token, the alternatives with their log-probabilities, the chosen one first."""
    probabilities: dict[Any, float] = field(default_factory=dict)
    """Class probabilities by option, for ``/decisions`` and ``/systemone``."""
    tool_calls: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Functions to call, with their arguments."""
    delay_s: float = 0.0

    @property
    def used(self) -> int:
        """Tokens of the answer."""
        return 20 if self.output_tokens is None else self.output_tokens


@dataclass(frozen=True)
class Fault:
    """A failure by name, one of ``injected_faults.FAULTS``."""

    name: str
    retry_after: float | None = None
    status: int = 500
    message: str = ""


@dataclass(frozen=True)
class RawReply:
    """Any reply: a status, a body (JSON, or text as it is) and headers."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


def read_script(path: Path) -> list[MockReply | Fault]:
    """Reads replies in order, from lines such as ``{"text": "…"}``, ``{"refusal": "…"}`` or ``{"fault": "html"}``.

    The keys are those of ``MockReply`` and ``Fault``. Raises ``DataError`` for an invalid line.
    """
    said: list[MockReply | Fault] = []
    try:
        lines = list(text_lines(path))
    except FileError as error:
        raise DataError(str(error)) from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                row = parse_json(line, path)
                said.append(Fault(row.pop("fault"), **row) if "fault" in row else MockReply(**row))
            except (FileError, TypeError, AttributeError):
                known = ", ".join(one.name for one in fields(MockReply))
                raise DataError(f"{path}:{number} is no reply: give `fault`, or some of {known}") from None
    return said


def chat_body(reply: MockReply) -> dict[str, Any]:
    """Returns a chat completion."""
    content = None if reply.refusal else reply.text
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": reply.refusal}
    choice: dict[str, Any] = {"index": 0, "finish_reason": reply.finish_reason, "message": message, "logprobs": None}
    if reply.tool_calls:
        message["tool_calls"] = [
            {"id": f"call-{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
            for i, (name, arguments) in enumerate(reply.tool_calls)
        ]
        choice["finish_reason"] = "tool_calls"
    if reply.logprobs:
        choice["logprobs"] = {"content": [_token(alternatives) for alternatives in reply.logprobs], "refusal": None}
    return {
        "id": "chatcmpl-mock",
        "object": "chat.completion",
        "created": 0,
        "model": reply.model,
        "choices": [choice],
        "usage": {
            "prompt_tokens": reply.input_tokens,
            "completion_tokens": reply.used,
            "total_tokens": reply.input_tokens + reply.used,
            "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
        },
    }


def decisions_body(reply: MockReply) -> dict[str, Any]:
    """Returns an answer of the decisions API: one choice with its class probabilities."""
    best = max(reply.probabilities, key=lambda name: reply.probabilities[name], default="")
    rows = [{"value": name, "probability": p} for name, p in reply.probabilities.items()]
    answer = {
        "type": "choice",
        "name": "reading",
        "choice": best,
        "confidence": reply.probabilities.get(best, 0.0),
        "probabilities": rows,
    }
    return {
        "answers": [{"type": "refusal", "name": "reading"} if reply.refusal else answer],
        "model": reply.model,
        "usage": usage(reply),
    }


def usage(reply: MockReply) -> dict[str, Any]:
    """The tokens used, as the Responses and the decisions API count them."""
    return {
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"cached_tokens": reply.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": reply.used,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": reply.input_tokens + reply.used,
    }


def cut_to(reply: MockReply, limit: int | None) -> MockReply:
    """The answer as far as it fits a limit on its tokens; one that is cut ends with ``length``.

    ``output_tokens`` that are stated for a whole answer are reported as they are, whatever the limit.
    """
    written = reply.text + "".join(json.dumps(arguments) for _, arguments in reply.tool_calls)
    if limit is None:
        return reply
    if len(written) <= limit * CHARACTERS:
        return replace(reply, output_tokens=min(reply.used, limit)) if reply.output_tokens is None else reply
    text, tokens = reply.text[: limit * CHARACTERS], reply.logprobs[:limit]
    return replace(reply, text=text, logprobs=tokens, tool_calls=(), finish_reason="length", output_tokens=limit)


def error_body(message: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """Returns an error object."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def _token(alternatives: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    rows = [{"token": token, "logprob": logprob, "bytes": list(token.encode())} for token, logprob in alternatives]
    return {**rows[0], "top_logprobs": rows}
