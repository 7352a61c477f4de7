"""A request to a model and its answer, as records and as JSON of the OpenAI protocol."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.opinion import Usage
from doubleread.core.types import Json

Api = Literal["chat", "decisions"]
PATHS = {"chat": "/chat/completions", "decisions": "/decisions"}
_SIGNS = (
    ("logprobs", re.compile(r"logprobs", re.IGNORECASE)),
    ("max_completion_tokens", re.compile(r"max_completion_tokens", re.IGNORECASE)),
    ("temperature", re.compile(r"temperature", re.IGNORECASE)),
    ("json_object", re.compile(r"json_object|json mode", re.IGNORECASE)),
    ("json_schema", re.compile(r"json_schema|response_format|structured output|guided", re.IGNORECASE)),
)


class AnswerOption(Record):
    """One option of a request for class probabilities."""

    value: str
    description: str = ""


class Request(Record):
    """One request: everything that can change its answer, and nothing else (no key, no timeout).

    ``messages`` are chat messages of the OpenAI protocol. ``answer_schema`` requests JSON of that schema,
    ``top_logprobs`` the most probable alternatives of each token. ``choices`` are for the ``decisions`` API only.
    """

    model: str
    messages: tuple[Json, ...]
    api: Api = "chat"
    answer_schema: Json | None = None
    max_tokens: int = 1000
    temperature: float | None = 0.0
    top_logprobs: int = 0
    choices: tuple[AnswerOption, ...] = ()
    instructions: str = ""
    extra: dict[str, Any] = Field(default_factory=dict)


class Alternative(Record):
    """A possible token at one position, and its log-probability."""

    token: str
    logprob: float


class ToolCall(Record):
    """A function that the model wants to call; ``arguments`` is its unparsed JSON."""

    id: str
    name: str
    arguments: str = ""


class Completion(Record):
    """The answer: the text and all other data that the server returned, with usage and request id."""

    text: str
    model: str = ""
    request_id: str | None = None
    usage: Usage = Usage()
    tokens: tuple[tuple[Alternative, ...], ...] = ()
    """Alternatives of each token of the text, including the chosen one; empty without logprobs."""
    probabilities: dict[str, float] = Field(default_factory=dict)
    """Class probabilities by option; ``decisions`` only."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Calls of tools offered in the request's ``extra``; the text may then be empty."""


def body_of(request: Request, lacking: frozenset[str] = frozenset()) -> Json:
    """Builds the JSON body, without features that the server lacks."""
    if request.api == "decisions":
        return _decisions_body(request)
    limit = "max_tokens" if "max_completion_tokens" in lacking else "max_completion_tokens"
    body: Json = {"model": request.model, "messages": list(request.messages), limit: request.max_tokens}
    if request.temperature is not None and "temperature" not in lacking:
        body["temperature"] = request.temperature
    if form := _response_format(request, lacking):
        body["response_format"] = form
    if request.top_logprobs:
        body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    return body | request.extra


def _response_format(request: Request, lacking: frozenset[str]) -> Json | None:
    if request.answer_schema is None or {"json_schema", "json_object"} <= lacking:
        return None
    if "json_schema" in lacking:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "reading", "strict": True, "schema": request.answer_schema}}


def _decisions_body(request: Request) -> Json:
    question = {
        "type": "choice",
        "name": "reading",
        "instructions": request.instructions,
        "choices": [choice.model_dump(exclude_defaults=True) for choice in request.choices],
    }
    messages = [{"role": m["role"], "content": [_input_part(p) for p in m["content"]]} for m in request.messages]
    return {"model": request.model, "input": messages, "questions": [question]} | request.extra


def _input_part(part: Mapping[str, Any]) -> Json:
    if part["type"] == "text":
        return {"type": "input_text", "text": part["text"]}
    return {"type": "input_image", "image_url": part["image_url"]["url"]}


def missing_feature(message: str, request: Request, lacking: frozenset[str]) -> str | None:
    """Returns the feature that an error message complains about, if this request used it, or None."""
    used = _used(request) - lacking
    found = next((name for name, sign in _SIGNS if name in used and sign.search(message)), None)
    if found is None and "json_object" in used and "json_schema" in lacking and _SIGNS[-1][1].search(message):
        return "json_object"  # a server without any response_format mentions neither
    return found


def _used(request: Request) -> frozenset[str]:
    used = {"max_completion_tokens"}
    if request.answer_schema is not None:
        used |= {"json_schema", "json_object"}
    if request.top_logprobs:
        used.add("logprobs")
    if request.temperature is not None:
        used.add("temperature")
    return frozenset(used)
