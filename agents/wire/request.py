"""A question to a model and the answer that came back, in words of our own."""

from typing import Any, Literal

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.opinion import Usage
from doubleread.core.types import Json

Api = Literal["chat", "decisions"]


class AnswerOption(Record):
    """One option of a question to a model that answers with class probabilities."""

    value: str
    description: str = ""


class Request(Record):
    """One question: everything that can change its answer, and nothing else (no key, no timeout).

    ``messages`` are chat messages as the OpenAI protocol has them. ``answer_schema`` asks for JSON of that schema;
    ``top_logprobs`` for the most probable alternatives of each token. ``choices`` are for the ``decisions`` API only.
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
    """A token that could have stood there, and its log-probability."""

    token: str
    logprob: float


class ToolCall(Record):
    """A function that the model wants called; ``arguments`` is the JSON it wrote, as it wrote it."""

    id: str
    name: str
    arguments: str = ""


class Completion(Record):
    """What came back: the text and whatever else the server told, usage and request id always kept."""

    text: str
    model: str = ""
    request_id: str | None = None
    usage: Usage = Usage()
    tokens: tuple[tuple[Alternative, ...], ...] = ()
    """For each token of the text its alternatives, the chosen one among them; empty without logprobs."""
    probabilities: dict[str, float] = Field(default_factory=dict)
    """Class probabilities by option; ``decisions`` only."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Where the request offered tools, in ``extra``; the text may then be empty."""
