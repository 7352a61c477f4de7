"""OpenAI's Responses API, for models that are served there only.

A request is the body of a chat completion in the words of this API, and an answer becomes a chat completion, so that
both are checked in one place.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from doubleread.agents.wire.values import object_of, text_of
from doubleread.core.types import Json

LIMIT = "max_output_tokens"
LEAST_LIMIT = 16
"""OpenAI refuses a smaller limit."""
_MANY = 200
"""Items of an answer that are read."""
_MANY_TOKENS = 4096
_ENDS = {"max_output_tokens": "length", "content_filter": "content_filter"}


def responses_body(chat: Json) -> Json:
    """Converts the body of a chat completion. Nothing is stored at the server (``store`` is false)."""
    kept = {key: value for key, value in chat.items() if key not in _CONVERTED}
    body: Json = {**kept, "input": [item for message in chat["messages"] for item in _items(message)], "store": False}
    if limit := chat.get("max_completion_tokens") or chat.get("max_tokens"):
        body[LIMIT] = max(LEAST_LIMIT, limit)
    if form := chat.get("response_format"):
        body["text"] = {"format": {"type": form["type"], **form.get("json_schema", {})}}
    if chat.get("logprobs"):
        body["include"] = ["message.output_text.logprobs"]
    if effort := chat.get("reasoning_effort"):
        body["reasoning"] = {"effort": effort}
    if tools := chat.get("tools"):
        body["tools"] = [{"type": "function", **tool["function"]} for tool in tools]
    return body


_CONVERTED = frozenset(
    {"messages", "max_completion_tokens", "max_tokens", "response_format", "logprobs", "reasoning_effort", "tools"}
)


def as_chat(body: Json) -> Json:
    """Converts an answer to the body of a chat completion; a failed one holds its ``error``."""
    if body.get("error"):
        return body
    items = [object_of(item) for item in body["output"][:_MANY]]
    parts = [object_of(part) for item in items if item.get("type") == "message" for part in _listed(item, "content")]
    said = [part for part in parts if part.get("type") == "output_text"]
    message = {
        "content": said,
        "refusal": text_of([{"text": part.get("refusal")} for part in parts if part.get("type") == "refusal"]),
        "reasoning": "".join(_thoughts(items)),
        "tool_calls": [_called(item) for item in items if item.get("type") == "function_call"],
    }
    reason = object_of(body.get("incomplete_details")).get("reason")
    finish = _ENDS.get(str(reason), reason) if body.get("status") == "incomplete" else "stop"
    tokens = [row for part in said for row in _listed(part, "logprobs")]
    choice = {"message": message, "finish_reason": finish, "logprobs": {"content": tokens}}
    return {**body, "choices": [choice]}


def _items(message: Json) -> Iterator[Json]:
    role, content = message["role"], message.get("content")
    if role == "tool":
        yield {"type": "function_call_output", "call_id": message["tool_call_id"], "output": text_of(content)}
        return
    if content:
        yield {"role": role, "content": content if isinstance(content, str) else [_part(part) for part in content]}
    for call in message.get("tool_calls", ()):
        yield {"type": "function_call", "call_id": call["id"], **call["function"]}


def _part(part: Mapping[str, Any]) -> Json:
    if part["type"] == "text":
        return {"type": "input_text", "text": part["text"]}
    return {"type": "input_image", "image_url": part["image_url"]["url"]}


def _thoughts(items: Iterable[Json]) -> Iterator[str]:
    for item in items:
        if item.get("type") == "reasoning":
            yield text_of(item.get("content")) or text_of(item.get("summary"))


def _called(item: Json) -> Json:
    return {"id": item.get("call_id"), "function": {"name": item.get("name"), "arguments": item.get("arguments")}}


def _listed(holder: Json, name: str) -> list[Any]:
    found = holder.get(name)
    return found[:_MANY_TOKENS] if isinstance(found, list) else []
