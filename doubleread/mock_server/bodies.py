"""Answers as the protocol has them."""

import json
from typing import Any

from doubleread.mock_server.mock_reply import Reply


def chat_body(reply: Reply) -> dict[str, Any]:
    """A chat completion."""
    content = None if reply.refusal else reply.text
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": reply.refusal}
    choice: dict[str, Any] = {"index": 0, "finish_reason": reply.finish_reason, "message": message, "logprobs": None}
    if reply.tool_calls:
        message["tool_calls"] = [_tool_call(i, *call) for i, call in enumerate(reply.tool_calls)]
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
            "completion_tokens": reply.output_tokens,
            "total_tokens": reply.input_tokens + reply.output_tokens,
            "prompt_tokens_details": {"cached_tokens": reply.cached_tokens},
        },
    }


def decisions_body(reply: Reply) -> dict[str, Any]:
    """An answer of the decisions API: one choice with its class probabilities."""
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
        "usage": {
            "input_tokens": reply.input_tokens,
            "input_tokens_details": {"cached_tokens": reply.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": reply.output_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": reply.input_tokens + reply.output_tokens,
        },
    }


def error_body(message: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    """An error object."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def _tool_call(i: int, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"call-{i}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}


def _token(alternatives: tuple[tuple[str, float], ...]) -> dict[str, Any]:
    rows = [{"token": token, "logprob": logprob, "bytes": list(token.encode())} for token, logprob in alternatives]
    return {**rows[0], "top_logprobs": rows}
