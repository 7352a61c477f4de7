"""The JSON body of a request in the OpenAI protocol, and which of its fields a server may lack."""

import re

from doubleread.agents.wire._decisions import decisions_body
from doubleread.agents.wire.request import Request
from doubleread.core.types import Json

_SIGNS = (
    ("logprobs", re.compile(r"logprobs", re.IGNORECASE)),
    ("max_completion_tokens", re.compile(r"max_completion_tokens", re.IGNORECASE)),
    ("temperature", re.compile(r"temperature", re.IGNORECASE)),
    ("json_object", re.compile(r"json_object|json mode", re.IGNORECASE)),
    ("json_schema", re.compile(r"json_schema|response_format|structured output|guided", re.IGNORECASE)),
)


def body_of(request: Request, lacking: frozenset[str] = frozenset()) -> Json:
    """Builds the JSON body, without features that the server lacks."""
    if request.api == "decisions":
        return decisions_body(request)
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
