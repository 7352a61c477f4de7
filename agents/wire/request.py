"""A request to a model and its answer, as records."""

from typing import Any, Literal

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.opinion import Usage
from doubleread.core.types import Json

Api = Literal["chat", "decisions"]


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
