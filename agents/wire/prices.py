"""What models cost: a dated table that the settings can add to."""

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.opinion import Usage

MILLION = 1_000_000
CHARS_A_TOKEN = 3
"""Cautious: English text has about four."""
TOKENS_AN_IMAGE = 1500
"""Cautious: an image of 1024 pixels a side costs 765 tokens in tiles of 512 pixels, and 1,400 in patches of 28."""
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


class Price(Record):
    """US dollars per million tokens."""

    input: float = Field(ge=0, le=MILLION, description="Input tokens.")
    output: float = Field(ge=0, le=MILLION, description="Output tokens.")
    cached_input: float | None = Field(
        default=None, ge=0, le=MILLION, description="Input tokens that the server had cached; unset: as `input`."
    )
    as_of: date | None = Field(default=None, description="When that was the price, as in 2025-08-31.")


class PriceTable:
    """Prices by model: those of the settings, then the built-in ones."""

    def __init__(self, overrides: Mapping[str, Price] | None = None) -> None:
        self._prices = {**_built_in(), **(overrides or {})}

    def of(self, model: str) -> Price | None:
        """The price of a model or of a dated snapshot of it (``gpt-4o-2024-08-06``); None where it is not known."""
        return self._prices.get(model) or self._prices.get(_SNAPSHOT.sub("", model))


def cost(price: Price, usage: Usage) -> float:
    """US dollars that the usage costs."""
    cached = min(usage.cached_tokens, usage.input_tokens)
    rate = price.input if price.cached_input is None else price.cached_input
    fresh = usage.input_tokens - cached
    return (fresh * price.input + cached * rate + usage.output_tokens * price.output) / MILLION


def estimate(price: Price, chars: int, images: int, max_tokens: int) -> float:
    """US dollars that a question of so many characters and images may cost at the most, for reserving them."""
    tokens = chars / CHARS_A_TOKEN + images * TOKENS_AN_IMAGE
    return (tokens * price.input + max_tokens * price.output) / MILLION


@cache
def _built_in() -> dict[str, Price]:
    table = tomllib.loads(files("doubleread.agents.wire").joinpath("prices.toml").read_text(encoding="utf-8"))
    return {model: Price.model_validate(row) for model, row in table.items()}
