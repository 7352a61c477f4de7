"""The decisions API: one question with fixed options, answered with the probability of each."""

from collections.abc import Mapping, Sequence
from typing import Any

from doubleread.agents.wire.faults import CallFault, harmless
from doubleread.agents.wire.request import Completion, Request
from doubleread.agents.wire.values import object_of, said
from doubleread.core.types import Json

MAX_CHOICES = 1000
"""Class probabilities of an answer."""


def decisions_body(request: Request) -> Json:
    """Builds the JSON body of a question with options."""
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


def decided(answers: Sequence[Any], found: Completion, secrets: Sequence[str]) -> Completion:
    """Adds what was decided to ``found``; raises ``CallFault`` if nothing usable was."""
    first = next((answer for answer in answers if isinstance(answer, dict)), {})
    if first.get("type") == "refusal":
        raise CallFault("refusal", "the model declined the question")
    rows = first.get("probabilities")
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
