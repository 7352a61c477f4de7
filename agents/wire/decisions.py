"""Questions with fixed options, answered with the probability of each: OpenAI's decisions API and System One.

OpenAI serves ``/decisions``; vLLM, llama.cpp, Ollama and gateways serve ``/systemone`` with the same content.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from doubleread.agents.wire.faults import CallFault, harmless
from doubleread.agents.wire.request import Completion, Request
from doubleread.agents.wire.values import object_of, said
from doubleread.core.types import Json

MAX_CHOICES = 255
"""Most options of one question in either API."""
_NAME = "reading"


def decisions_body(request: Request) -> Json:
    """Builds the JSON body of a question with options for ``/decisions``.

    That API takes messages of users only, so what the system message says is part of the question's instructions.
    """
    question = {
        "type": "choice",
        "name": _NAME,
        "instructions": _instructions(request),
        "choices": [choice.model_dump(exclude_defaults=True) for choice in request.choices],
    }
    messages = [{"role": "user", "content": [_input_part(part) for part in _asked(request)]}]
    return {"model": request.model, "input": messages, "questions": [question]} | request.extra


def systemone_body(request: Request) -> Json:
    """Builds the JSON body of the same question for ``/systemone``: the parts of the message are its state."""
    criteria = {choice.value: choice.description or choice.value for choice in request.choices}
    question = {"type": "choice", "instructions": _instructions(request), "criteria": criteria}
    return {"model": request.model, "state": _asked(request), "questions": {_NAME: question}} | request.extra


def _instructions(request: Request) -> str:
    told = [part["text"] for message in request.messages if message["role"] == "system" for part in message["content"]]
    return "\n\n".join([*told, request.instructions])


def _asked(request: Request) -> list[Json]:
    return [part for message in request.messages if message["role"] != "system" for part in message["content"]]


def _input_part(part: Mapping[str, Any]) -> Json:
    if part["type"] == "text":
        return {"type": "input_text", "text": part["text"]}
    return {"type": "input_image", "image_url": part["image_url"]["url"]}


def decided(answers: Any, found: Completion, secrets: Sequence[str]) -> Completion:
    """Adds what was decided to ``found``; raises ``CallFault`` if nothing usable was.

    ``answers`` is a list (``/decisions``) or an object (``/systemone``).
    """
    listed = list(answers.values()) if isinstance(answers, dict) else answers
    first = next((answer for answer in listed if isinstance(answer, dict)), {})
    if first.get("type") == "refusal":
        raise CallFault("refusal", "the model declined the question")
    rows = first.get("probabilities")
    if isinstance(rows, dict):
        rows = [{"value": name, "probability": share} for name, share in rows.items()]
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


def _brief(value: Any) -> str:
    return str(value) if isinstance(value, bool | int | float | str | None) else f"a JSON {type(value).__name__}"
