"""OpenAI's decisions API and System One: questions with fixed options, answered with the probability of each."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from doubleread.core.types import Json
from doubleread.mock_server.asked import (
    Fields,
    ParsedRequest,
    Question,
    Refused,
    RequestBody,
    checked,
    decoded,
    image_of,
    parts_of,
    said,
)
from doubleread.mock_server.mock_reply import MockReply, usage

_Words = str | list[Any]


class _ChoiceOption(Fields):
    value: str | bool


class _Level(Fields):
    label: str


class _DecisionQuestion(Fields):
    type: Literal["predicate", "choice", "score"]
    instructions: _Words
    name: str | None = None
    choices: Annotated[list[_ChoiceOption] | None, Field(min_length=2, max_length=255)] = None
    levels: Annotated[list[_Level] | None, Field(min_length=2, max_length=255)] = None


class _Decisions(RequestBody):
    input: str | list[dict[str, Any]]
    questions: list[_DecisionQuestion] = Field(min_length=1, max_length=400)


class _Asset(Fields):
    data_base64: str


class _Typed(Fields):
    type: Literal["noul", "choice", "score"]
    instructions: Any
    criteria: dict[str, Any] | list[Any] | None = None


class _SystemOne(RequestBody):
    state: Any
    questions: dict[str, _Typed] = Field(min_length=1, max_length=400)
    assets: dict[str, _Asset] | None = None


def decisions_asked(body: Json) -> ParsedRequest:
    """Reads a request of the decisions API; raises ``Refused``."""
    _unstreamed(decided := checked(_Decisions, body))
    questions = [_question(one, f"questions[{i}]") for i, one in enumerate(decided.questions)]
    given = decided.input
    parts = [given] if isinstance(given, str) else [part for i, item in enumerate(given) for part in _parts(item, i)]
    return ParsedRequest(decided.model, questions=tuple(questions), **said(parts))


def systemone_asked(body: Json) -> ParsedRequest:
    """Reads a request of System One; images are its assets, or data URLs in the state. Raises ``Refused``."""
    _unstreamed(one := checked(_SystemOne, body))
    questions = [_typed(name, question) for name, question in one.questions.items()]
    assets = [decoded(asset.data_base64, f"assets.{name}") for name, asset in (one.assets or {}).items()]
    return ParsedRequest(one.model, questions=tuple(questions), **said([*_leaves(one.state), *assets]))


def _unstreamed(body: RequestBody) -> None:
    if body.stream:
        raise Refused("Decisions are not streamed: leave out 'stream'.", param="stream")


def _question(one: _DecisionQuestion, where: str) -> Question:
    options = {
        "predicate": (),
        "choice": tuple(choice.value for choice in one.choices or ()),
        "score": tuple(level.label for level in one.levels or ()),
    }[one.type]
    if one.type != "predicate" and len({(type(o), o) for o in options}) < max(2, len(options)):
        raise Refused(f"Invalid value for '{where}': give at least two different options.", param=where)
    return Question(one.type, one.name, options)


def _typed(name: str, one: _Typed) -> Question:
    if one.type == "noul":
        return Question("noul", name)
    options = one.criteria if isinstance(one.criteria, {"choice": dict, "score": list}[one.type]) else ()
    if not 2 <= len(options) <= 255:
        where = f"questions.{name}.criteria"
        raise Refused(f"Invalid value for '{where}': give 2 to 255 options.", param=where)
    return Question(one.type, name, tuple(str(option) for option in options))


def _parts(item: Json, i: int) -> Iterator[str | bytes]:
    if "role" in item or "content" in item:
        yield from parts_of(item.get("content"), f"input[{i}].content")


def _leaves(state: Any) -> Iterator[str | bytes]:
    """The texts of any JSON value, and the images among them."""
    if isinstance(state, str):
        yield image_of(state, "state") if state.startswith("data:image/") else state
    elif isinstance(state, dict | list):
        for one in state.values() if isinstance(state, dict) else state:
            yield from _leaves(one)


def decisions_written(reply: MockReply, asked: ParsedRequest) -> Json:
    """Writes an answer to every question; ``reply.probabilities`` are those of the first question with options."""
    answers = [{**answer, "name": question.name} for question, answer in _answers(reply, asked)]
    return {"answers": answers, "model": reply.model, "usage": usage(reply)}


def systemone_written(reply: MockReply, asked: ParsedRequest) -> Json:
    """Writes an answer to every question under its name, in the form of System One."""
    answers = {question.name: _as_systemone(question, answer) for question, answer in _answers(reply, asked)}
    return {"model": reply.model, "answers": answers, "usage": usage(reply)}


def _as_systemone(question: Question, answer: Json) -> Json:
    if "probability" in answer:
        return {"type": "noul", "noul": answer["probability"]}
    if "probabilities" in answer:
        key = "label" if question.kind == "score" else "value"
        return {**answer, "probabilities": {row[key]: row["probability"] for row in answer["probabilities"]}}
    return answer


def _answers(reply: MockReply, asked: ParsedRequest) -> Iterator[tuple[Question, Json]]:
    given: Mapping[Any, float] = reply.probabilities
    for question in asked.questions:
        even = dict.fromkeys(question.options, 1 / max(1, len(question.options)))
        if reply.refusal:
            yield question, {"type": "refusal"}
        elif question.options:
            yield question, _chosen(question.kind, given or even)
            given = {}
        else:
            yield question, {"type": "predicate", "probability": 0.5}


def _chosen(kind: str, shares: Mapping[Any, float]) -> Json:
    best = max(shares, key=lambda name: shares[name])
    if kind == "choice":
        rows: list[Json] = [{"value": name, "probability": p} for name, p in shares.items()]
        return {"type": kind, "choice": best, "confidence": shares[best], "probabilities": rows}
    rows = [{"label": name, "value": i, "probability": p} for i, (name, p) in enumerate(shares.items())]
    score = sum(row["value"] * row["probability"] for row in rows)
    return {"type": kind, "score": score, "confidence": shares[best], "probabilities": rows}
