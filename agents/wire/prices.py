"""Prices of models from the settings or from published lists, and the cost of a call."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Protocol

from pydantic import Field

from doubleread.agents.wire._list_prices import list_price
from doubleread.agents.wire.request import Request
from doubleread.core.base import Record
from doubleread.core.opinion import Usage

MILLION = 1_000_000
CHARS_A_TOKEN = 3
"""Conservative: English text has about four."""
TOKENS_AN_IMAGE = 1500
"""Conservative: an image of 1024 pixels a side costs 765 tokens in tiles of 512 pixels, and 1,400 in patches of 28."""
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
    as_of: date | None = Field(default=None, description="When that was the price, as in 2026-11-30.")


class ListPrice(TokenPrice):
    """A published price; ``source`` is the package and version that it is from."""

    source: str


class Priced(Protocol):
    """A model at an address, with its own price if the settings state one."""

    @property
    def model(self) -> str: ...

    @property
    def base_url(self) -> str: ...

    @property
    def price(self) -> TokenPrice | None: ...


class PriceTable:
    """Prices of models: the server's own table, then ``[prices.MODEL]`` of the settings, then the published list."""

    def __init__(self, stated: Mapping[str, TokenPrice] | None = None) -> None:
        self._stated = stated or {}

    def of(self, server: Priced) -> TokenPrice | None:
        """Returns the price of a model at its address, or None if it is unknown."""
        if (price := server.price or self._stated.get(server.model)) is not None:
            return price
        listed = list_price(server.model, server.base_url)
        return None if listed is None else ListPrice.model_validate(listed)


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


def price_words(price: TokenPrice | None) -> str:
    """Says what a model costs and where the price is from; empty if it is unknown."""
    if price is None:
        return ""
    dated = f", as of {price.as_of}" if price.as_of else ""
    source = f", list price of {price.source}" if isinstance(price, ListPrice) else ""
    return f"${price.input:g} in, ${price.output:g} out per million tokens{dated}{source}"
