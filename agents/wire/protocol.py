"""Requests and answers as JSON bodies of the OpenAI protocol: what goes over the wire, batch files included."""

from collections.abc import Mapping, Sequence
from typing import Any

from doubleread.agents.wire.faults import CallFault, harmless
from doubleread.agents.wire.request import Alternative, Completion, Request, ToolCall
from doubleread.core.opinion import Usage
from doubleread.core.types import Json

PATHS = {"chat": "/chat/completions", "decisions": "/decisions"}


def body_of(request: Request, lacking: frozenset[str] = frozenset()) -> Json:
    """The JSON body, without the features that the server lacks."""
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


def completion_of(body: Any, request_id: str | None = None) -> Completion:
    """The answer in a 200's body, of either API. Raises ``CallFault`` where there is none; usage is kept in it."""
    if not isinstance(body, dict):
        raise CallFault("server", f"the answer is a JSON {type(body).__name__}, not an object", retryable=True)
    usage, model = usage_of(body.get("usage")), str(body.get("model") or "")
    if isinstance(body.get("answers"), list):
        return _decision(body, Completion(text="", model=model, request_id=request_id, usage=usage))
    choice = _first_choice(body, usage, request_id)
    message = _object(choice.get("message"))
    _check_finish(choice, message, usage, request_id)
    text = _text(message.get("content"))
    calls = _tool_calls(message.get("tool_calls"))
    if not text.strip() and not calls:
        raise CallFault("server", "the answer is empty", retryable=True, usage=usage, request_id=request_id)
    return Completion(
        text=text, model=model, request_id=request_id, usage=usage, tokens=_tokens(choice), tool_calls=calls
    )


def usage_of(usage: Any) -> Usage:
    """Tokens that a body reports, in either API's words; 0 where it reports none. The cost is worked out elsewhere."""
    if not isinstance(usage, dict):
        return Usage(calls=1)
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    return Usage(
        input_tokens=_count(usage, "prompt_tokens", "input_tokens"),
        output_tokens=_count(usage, "completion_tokens", "output_tokens"),
        cached_tokens=_count(details, "cached_tokens"),
        image_tokens=_count(details, "image_tokens"),
        calls=1,
    )


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


def _first_choice(body: Json, usage: Usage, request_id: str | None) -> Json:
    choices = body.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        return choices[0]
    error = body.get("error")
    if isinstance(error, dict):  # some gateways send the error of the server behind them with a 200
        raise fault_of_status(int(error["code"]) if str(error.get("code")).isdigit() else 502, error, request_id)
    raise CallFault("server", "the answer holds no choices", retryable=True, usage=usage, request_id=request_id)


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _check_finish(choice: Json, message: Json, usage: Usage, request_id: str | None) -> None:
    if refusal := message.get("refusal"):
        raise CallFault("refusal", harmless(str(refusal)), usage=usage, request_id=request_id)
    finish = choice.get("finish_reason")
    if finish == "content_filter":
        raise CallFault("filter", "a content filter stopped the answer", usage=usage, request_id=request_id)
    if finish == "length":
        detail = f"cut off after {usage.output_tokens} tokens: raise max_tokens"
        raise CallFault("length", detail, usage=usage, request_id=request_id)


def fault_of_status(
    status: int, error: Mapping[str, Any], request_id: str | None = None, secrets: Sequence[str] = ()
) -> CallFault:
    """The fault that an HTTP status and the error object of its body stand for."""
    code = str(error.get("code") or error.get("type") or "")
    detail = harmless(f"HTTP {status} {code}: {error.get('message') or 'no message'}", secrets)
    if status == 429 and "insufficient_quota" in (code, str(error.get("type"))):
        return CallFault("quota", detail, request_id=request_id)
    if status == 429:
        return CallFault("rate-limit", detail, retryable=True, limited=True, request_id=request_id)
    if status in (408, 409) or status >= 500:
        return CallFault("server", detail, retryable=True, request_id=request_id)
    causes = {401: "authentication", 403: "authentication", 404: "not-found"}
    cause: Any = causes.get(status, "bad-request")
    return CallFault(cause, detail, request_id=request_id)


def _decision(body: Json, found: Completion) -> Completion:
    answers = [answer for answer in body["answers"] if isinstance(answer, dict)]
    first = answers[0] if answers else {}
    if first.get("type") == "refusal":
        raise CallFault("refusal", "the model declined the question", usage=found.usage, request_id=found.request_id)
    try:
        shares = {str(row["value"]): float(row["probability"]) for row in first["probabilities"]}
    except (KeyError, TypeError, ValueError):
        raise CallFault(
            "invalid-answer", "the answer holds no probabilities", usage=found.usage, request_id=found.request_id
        ) from None
    return found.model_copy(update={"text": str(first.get("choice", "")), "probabilities": shares})


def _text(content: Any) -> str:
    if isinstance(content, list):  # some servers answer in parts
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _tool_calls(calls: Any) -> tuple[ToolCall, ...]:
    """The calls that can be made out; others are left out."""
    found = (
        [(_object(call), _object(_object(call).get("function"))) for call in calls] if isinstance(calls, list) else []
    )
    return tuple(
        ToolCall(id=str(call.get("id") or ""), name=str(asked["name"]), arguments=str(asked.get("arguments") or ""))
        for call, asked in found
        if asked.get("name")
    )


def _tokens(choice: Json) -> tuple[tuple[Alternative, ...], ...]:
    try:
        rows = choice["logprobs"]["content"]
        return tuple(
            tuple(Alternative(token=str(a["token"]), logprob=float(a["logprob"])) for a in row["top_logprobs"] or [row])
            for row in rows
        )
    except (KeyError, TypeError, ValueError):
        return ()


def _count(counts: Any, *names: str) -> int:
    found = (counts.get(name) for name in names) if isinstance(counts, dict) else ()
    return next((int(n) for n in found if isinstance(n, int | float) and not isinstance(n, bool) and n >= 0), 0)
