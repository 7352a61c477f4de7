"""The address and JSON body of a request in the OpenAI protocol."""

from collections.abc import Mapping
from typing import Any

from doubleread.agents.wire._responses import responses_body
from doubleread.agents.wire.decisions import decisions_body, systemone_body
from doubleread.agents.wire.request import Request
from doubleread.core.types import Json

NEW_LIMIT, OLD_LIMIT = "max_completion_tokens", "max_tokens"
"""The two names of the limit of an answer's tokens.

OpenAI and Azure want the new one: their reasoning models refuse the old one. Most other servers know only the old one:
Ollama (ollama/ollama#7125) and llama-cpp-python (abetlen/llama-cpp-python#1907) ignore the new one without a word, and
Mistral and transformers refuse it.
"""


CHAT, DECISIONS = "chat_completions", "decisions"
"""The two APIs that are tried first, as features that a server can lack."""


def sent_as(request: Request, lacking: frozenset[str] = frozenset(), limit: str = NEW_LIMIT) -> tuple[str, Json]:
    """Returns the path and the JSON body of a request, without features that the server lacks.

    ``limit`` is the name of the limit of tokens to try first. Questions with options go to ``/systemone`` where there
    is no ``/decisions``, and all others to ``/responses`` where the model has no chat completions.
    """
    if request.api == "decisions":
        other = DECISIONS in lacking
        return ("/systemone", systemone_body(request)) if other else ("/decisions", decisions_body(request))
    chat = chat_body(request, lacking, limit)
    return ("/responses", responses_body(chat)) if CHAT in lacking else ("/chat/completions", chat)


def chat_body(request: Request, lacking: frozenset[str] = frozenset(), limit: str = NEW_LIMIT) -> Json:
    """Builds the JSON body of a chat completion, without features that the server lacks."""
    body: Json = {"model": request.model, "messages": _messages(request, lacking)}
    body[limit_name(lacking, limit)] = request.max_tokens
    if request.temperature is not None and "temperature" not in lacking:
        body["temperature"] = request.temperature
    if form := _response_format(request, lacking):
        body["response_format"] = form
    if request.top_logprobs:
        body |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    return body | request.extra


def limit_name(lacking: frozenset[str], first: str) -> str:
    """Returns the name under which the limit of tokens is sent: ``first``, unless only the other one is taken."""
    other = OLD_LIMIT if first == NEW_LIMIT else NEW_LIMIT
    return other if first in lacking and other not in lacking else first


def both_limits(lacking: frozenset[str]) -> bool:
    """Whether both names of the limit are said to be unknown, which cannot be true."""
    return {NEW_LIMIT, OLD_LIMIT} <= lacking


def _messages(request: Request, lacking: frozenset[str]) -> list[Json]:
    """The messages, those without pictures as plain text: every server takes that, some take nothing else."""
    messages = [{**message, "content": _content(message["content"])} for message in request.messages]
    return _without_system(messages) if "system" in lacking else messages


def _content(content: Any) -> Any:
    if isinstance(content, list) and all(part["type"] == "text" for part in content):
        return "\n\n".join(part["text"] for part in content)
    return content


def _without_system(messages: list[Json]) -> list[Json]:
    """Puts what the system message says before the first message of the user."""
    told = [str(message["content"]) for message in messages if message["role"] == "system"]
    others = [message for message in messages if message["role"] != "system"]
    if not told or not others:
        return messages
    first, before = others[0], {"type": "text", "text": "\n\n".join(told)}
    content = first["content"]
    joined = [before, *content] if isinstance(content, list) else f"{before['text']}\n\n{content}"
    return [{**first, "content": joined}, *others[1:]]


def _response_format(request: Request, lacking: frozenset[str]) -> Mapping[str, Any] | None:
    if request.answer_schema is None or {"json_schema", "json_object"} <= lacking:
        return None
    if "json_schema" in lacking:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "reading", "strict": True, "schema": request.answer_schema}}
