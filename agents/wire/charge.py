"""What a call costs: what the server reports where that can be believed, otherwise the estimate."""

import json

from doubleread.agents.wire.prices import Price, cost, estimate
from doubleread.agents.wire.request import Request
from doubleread.core.opinion import Usage

BYTES_A_CHAR = 4
"""A token has at least one byte, so that a text has at most this many tokens for each character."""
MOST_AN_IMAGE = 50_000
"""Tokens: small models count up to 48,000 for an image of high detail."""
MARGIN = 10_000
"""Tokens of what servers add themselves."""
LONGER = 4
"""Some servers overstep max_tokens; nobody believes more than this many times as many, and the margin."""


def estimate_of(price: Price, request: Request) -> float:
    """What a request may cost at the most."""
    return estimate(price, *_size(request), request.max_tokens)


def charged(usage: Usage, price: Price | None, request: Request) -> Usage:
    """The usage of a call that was answered, with its cost.

    Where the server reports none, or counts that cannot be, no tokens are counted and the cost is the estimate.
    """
    if not _is_believable(usage, request):
        usage = Usage(calls=usage.calls)
        expected = None if price is None else estimate_of(price, request)
        return usage.model_copy(update={"cost_usd": expected})
    return usage.model_copy(update={"cost_usd": None if price is None else cost(price, usage)})


def _is_believable(usage: Usage, request: Request) -> bool:
    chars, images = _size(request)
    most = BYTES_A_CHAR * chars + MOST_AN_IMAGE * images + MARGIN
    return 0 < usage.input_tokens <= most and usage.output_tokens <= LONGER * request.max_tokens + MARGIN


def _size(request: Request) -> tuple[int, int]:
    """Characters and images: of the messages, and of the schema, tools and choices that come with them."""
    parts = [part for message in request.messages for part in _parts(message["content"])]
    chars = sum(len(part["text"]) for part in parts if part["type"] == "text")
    beside = [request.answer_schema, request.extra, [choice.model_dump() for choice in request.choices]]
    chars += sum(len(json.dumps(one, default=str)) for one in beside if one)
    return chars, sum(part["type"] == "image_url" for part in parts)


def _parts(content: object) -> list[dict[str, str]]:
    return content if isinstance(content, list) else [{"type": "text", "text": str(content)}]
