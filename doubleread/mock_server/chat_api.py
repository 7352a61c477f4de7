"""Chat completions: requests and answers, whole or as a stream of events."""

import json
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field

from doubleread.core.types import Json
from doubleread.mock_server.asked import (
    Fields,
    ParsedRequest,
    Refused,
    RequestBody,
    checked,
    parts_of,
    said,
    tool_to_call,
)
from doubleread.mock_server.mock_reply import MockReply, chat_body

PIECE = 16
"""Characters of one event of a stream."""


class _Message(Fields):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None


class _StreamOptions(Fields):
    include_usage: bool | None = None


class Schema(Fields):
    """A schema of answers with its name."""

    name: str = Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    schema_: dict[str, Any] = Field(default_factory=dict, alias="schema")


class _ChatFormat(Fields):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: Schema | None = None


class _Chat(RequestBody):
    messages: list[_Message] = Field(min_length=1)
    n: int | None = Field(default=None, ge=1, le=128)
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stream_options: _StreamOptions | None = None
    logprobs: bool | None = None
    response_format: _ChatFormat | None = None


def chat_asked(body: Json) -> ParsedRequest:
    """Reads a request for a chat completion; raises ``Refused``."""
    chat = checked(_Chat, body)
    form = chat.response_format
    if form is not None and form.type == "json_schema" and form.json_schema is None:
        where = "response_format.json_schema"
        raise Refused(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    if chat.top_logprobs is not None and not chat.logprobs:
        raise Refused("'top_logprobs' is only allowed when 'logprobs' is true.", param="top_logprobs")
    limits = [limit for limit in (chat.max_tokens, chat.max_completion_tokens) if limit is not None]
    return ParsedRequest(
        model=chat.model,
        form=form.type if form else "text",
        schema=form.json_schema.schema_ if form and form.json_schema else None,
        tool=tool_to_call(chat),
        logprobs=(chat.top_logprobs or 0) if chat.logprobs else None,
        limit=min(limits, default=None),
        n=chat.n or 1,
        stream=bool(chat.stream),
        include_usage=bool(chat.stream_options and chat.stream_options.include_usage),
        **said([part for i, message in enumerate(chat.messages) for part in _parts(message, i)]),
    )


def _parts(message: _Message, i: int) -> Iterator[str | bytes]:
    if message.content is None and message.role == "assistant":
        return  # it called tools
    yield from parts_of(message.content, f"messages[{i}].content")


def chat_written(reply: MockReply, asked: ParsedRequest) -> Json:
    """Writes the answer: as many choices as were asked for, with as many alternatives of each token."""
    body = chat_body(reply)
    choice, usage = body["choices"][0], body["usage"]
    if asked.logprobs is not None and choice["logprobs"]:
        for token in choice["logprobs"]["content"]:
            token["top_logprobs"] = token["top_logprobs"][: asked.logprobs]
    body["choices"] = [{**choice, "index": i} for i in range(asked.n)]
    usage["completion_tokens"] *= asked.n
    usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
    return body


def events(body: Json, asked: ParsedRequest) -> Iterator[str]:
    """Writes a chat completion as server-sent events."""
    head = {**{key: body[key] for key in ("id", "created", "model")}, "object": "chat.completion.chunk"}
    if asked.include_usage:
        head["usage"] = None
    for choice in body["choices"]:
        for change in _changes(choice):
            yield _event({**head, "choices": [{"index": choice["index"], "logprobs": None, **change}]})
    if asked.include_usage:
        yield _event({**head, "choices": [], "usage": body["usage"]})
    yield "data: [DONE]\n\n"


def _changes(choice: Json) -> Iterator[Json]:
    message, logprobs = choice["message"], choice["logprobs"]
    yield {"delta": {"role": "assistant", "content": "", "refusal": None}, "finish_reason": None}
    for field in ("content", "refusal"):
        text = message[field] or ""
        for i in range(0, len(text), PIECE):
            yield {"delta": {field: text[i : i + PIECE]}, "finish_reason": None, "logprobs": logprobs}
            logprobs = None  # all of them come with the first piece
    for i, call in enumerate(message.get("tool_calls", [])):
        function, empty = call["function"], {**call["function"], "arguments": ""}
        yield {"delta": {"tool_calls": [{"index": i, **call, "function": empty}]}, "finish_reason": None}
        arguments = {"index": i, "function": {"arguments": function["arguments"]}}
        yield {"delta": {"tool_calls": [arguments]}, "finish_reason": None}
    yield {"delta": {}, "finish_reason": choice["finish_reason"]}


def _event(chunk: Json) -> str:
    return f"data: {json.dumps(chunk)}\n\n"
