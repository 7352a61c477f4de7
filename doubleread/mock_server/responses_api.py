"""OpenAI's Responses API, without streams and without stored responses."""

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
from doubleread.mock_server.mock_reply import MockReply, chat_body, usage

_SILENT = ("function_call", "function_call_output", "reasoning", "item_reference")
"""Items of a conversation without a message."""
_LOGPROBS = "message.output_text.logprobs"


class _ResponseFormat(Fields):
    type: Literal["text", "json_object", "json_schema"]
    name: str | None = Field(default=None, pattern=r"^[a-zA-Z0-9_-]{1,64}$")
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")


class _Text(Fields):
    format: _ResponseFormat | None = None


class _Response(RequestBody):
    input: str | list[dict[str, Any]]
    instructions: str | None = None
    max_output_tokens: int | None = Field(default=None, ge=16)
    text: _Text | None = None
    include: list[str] | None = None
    previous_response_id: str | None = None


def responses_asked(body: Json) -> ParsedRequest:
    """Reads a request for a response; raises ``Refused``."""
    response = checked(_Response, body)
    if response.stream:
        raise Refused("The mock server streams chat completions only: leave out 'stream'.", param="stream")
    if response.previous_response_id is not None:
        missing = f"Previous response with id '{response.previous_response_id}' not found."
        raise Refused(missing, param="previous_response_id", code="previous_response_not_found")
    form = (response.text and response.text.format) or _ResponseFormat(type="text")
    if form.type == "json_schema" and None in (form.name, form.schema_):
        where = "text.format.name" if form.name is None else "text.format.schema"
        raise Refused(f"Missing required parameter: '{where}'.", param=where, code="missing_required_parameter")
    wanted = response.top_logprobs is not None or _LOGPROBS in (response.include or [])
    return ParsedRequest(
        model=response.model,
        form=form.type,
        schema=form.schema_,
        tool=tool_to_call(response),
        logprobs=(response.top_logprobs or 0) if wanted else None,
        limit=response.max_output_tokens,
        **said([response.instructions or "", *_parts(response.input)]),
    )


def _parts(given: str | list[Json]) -> Iterator[str | bytes]:
    if isinstance(given, str):
        yield given
        return
    for i, item in enumerate(given):
        if "role" in item:
            yield from parts_of(item.get("content"), f"input[{i}].content")
        elif item.get("type") not in _SILENT:
            raise Refused(f"Invalid value for 'input[{i}]': give messages with a role.", param=f"input[{i}]")


def responses_written(reply: MockReply, asked: ParsedRequest) -> Json:
    """Writes the answer as a response."""
    cut = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(reply.finish_reason)
    status = "incomplete" if cut else "completed"
    return {
        "id": "resp_mock",
        "object": "response",
        "created_at": 0,
        "model": reply.model,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": cut} if cut else None,
        "instructions": None,
        "max_output_tokens": asked.limit,
        "metadata": {},
        "output": [*_calls(reply), *_messages(reply, asked, status)],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage(reply),
    }


def _calls(reply: MockReply) -> list[Json]:
    return [
        {
            "type": "function_call",
            "id": f"fc_{i}",
            "call_id": f"call-{i}",
            "name": name,
            "arguments": json.dumps(arguments),
            "status": "completed",
        }
        for i, (name, arguments) in enumerate(reply.tool_calls)
    ]


def _messages(reply: MockReply, asked: ParsedRequest, status: str) -> list[Json]:
    if reply.tool_calls and not reply.text:
        return []
    part: Json = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
    if reply.refusal:
        part = {"type": "refusal", "refusal": reply.refusal}
    elif asked.logprobs is not None and reply.logprobs:
        tokens = chat_body(reply)["choices"][0]["logprobs"]["content"]
        part["logprobs"] = [{**token, "top_logprobs": token["top_logprobs"][: asked.logprobs]} for token in tokens]
    return [{"type": "message", "id": "msg_mock", "role": "assistant", "status": status, "content": [part]}]
