"""Prices of models from a dated table that settings can extend, and the cost of a call."""

import json
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files

from pydantic import Field

from doubleread.agents.wire.request import Request
from doubleread.core.base import Record
from doubleread.core.opinion import Usage

MILLION = 1_000_000
CHARS_A_TOKEN = 3
"""Conservative: English text has about four."""
TOKENS_AN_IMAGE = 1500
"""Conservative: an image of 1024 pixels a side costs 765 tokens in tiles of 512 pixels, and 1,400 in patches of 28."""
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")
BYTES_A_CHAR = 4
"""A token has at least one byte, so a text has at most this many tokens per character."""
MOST_AN_IMAGE = 50_000
"""Tokens: small models count up to 48,000 for an image of high detail."""
MARGIN = 10_000
"""Tokens that servers add themselves."""
LONGER = 4
"""Some servers exceed max_tokens; up to this factor, plus the margin, is believed."""


class TokenPrice(Record):
    """US dollars per million tokens."""

    input: float = Field(ge=0, le=MILLION, description="Input tokens.")
    output: float = Field(ge=0, le=MILLION, description="Output tokens.")
    cached_input: float | None = Field(
        default=None, ge=0, le=MILLION, description="Input tokens that the server had cached; unset: as `input`."
    )
    as_of: date | None = Field(default=None, description="When that was the price, as in 2025-08-31.")


class PriceTable:
    """Prices by model: the settings take precedence over the built-in table."""

    def __init__(self, overrides: Mapping[str, TokenPrice] | None = None) -> None:
        self._prices = {**_built_in(), **(overrides or {})}

    def of(self, model: str) -> TokenPrice | None:
        """Returns the price of a model or of its dated snapshot (``gpt-4o-2024-08-06``), or None if unknown."""
        return self._prices.get(model) or self._prices.get(_SNAPSHOT.sub("", model))


def cost(price: TokenPrice, usage: Usage) -> float:
    """Cost of the usage in US dollars."""
    cached = min(usage.cached_tokens, usage.input_tokens)
    rate = price.input if price.cached_input is None else price.cached_input
    fresh = usage.input_tokens - cached
    return (fresh * price.input + cached * rate + usage.output_tokens * price.output) / MILLION


def estimate(price: TokenPrice, chars: int, images: int, max_tokens: int) -> float:
    """Highest expected cost in US dollars of a request with so many characters and images, for reservation."""
    tokens = chars / CHARS_A_TOKEN + images * TOKENS_AN_IMAGE
    return (tokens * price.input + max_tokens * price.output) / MILLION


@cache
def _built_in() -> dict[str, TokenPrice]:
    table = tomllib.loads(files("doubleread.agents.wire").joinpath("prices.toml").read_text(encoding="utf-8"))
    return {model: TokenPrice.model_validate(row) for model, row in table.items()}


def estimate_of(price: TokenPrice, request: Request) -> float:
    """Highest expected cost of a request in US dollars."""
    return estimate(price, *_size(request), request.max_tokens)


def charged(usage: Usage, price: TokenPrice | None, request: Request) -> Usage:
    """Returns the usage of an answered call with its cost.

    If the server reports none or implausible counts, no tokens are counted and the cost is the estimate.
    """
    chars, images = _size(request)
    most = BYTES_A_CHAR * chars + MOST_AN_IMAGE * images + MARGIN
    believed = 0 < usage.input_tokens <= most and usage.output_tokens <= LONGER * request.max_tokens + MARGIN
    if not believed:
        usage = Usage(calls=usage.calls)
    if price is None:
        return usage.model_copy(update={"cost_usd": None})
    return usage.model_copy(update={"cost_usd": cost(price, usage) if believed else estimate_of(price, request)})


def _size(request: Request) -> tuple[int, int]:
    """Characters and images of the messages, with the schema, extra fields and choices."""
    contents = [message["content"] for message in request.messages]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    texts = [str(content) for content in contents if not isinstance(content, list)]
    chars = sum(map(len, texts + [part["text"] for part in parts if part["type"] == "text"]))
    beside = [request.answer_schema, request.extra, [choice.model_dump() for choice in request.choices]]
    chars += sum(len(json.dumps(one, default=str)) for one in beside if one)
    return chars, sum(part["type"] == "image_url" for part in parts)
