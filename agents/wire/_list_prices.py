"""List prices of hosted models, from the data of the package genai-prices.

A price belongs to the address that is asked, not to the name of the model: a model served on your own machine has none.
"""

import os
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any

from doubleread.agents.wire.addresses import LITELLM
from doubleread.core.loopback import is_loopback

_PACKAGE = "genai-prices"


def list_price(model: str, base_url: str) -> dict[str, Any] | None:
    """Returns the fields of a ``TokenPrice`` for a model at an address, as of now; None if no price is known.

    Prices that rise with the length of the input are those of short inputs.
    """
    return _listed(*(_asked(model) if base_url == LITELLM else (model, base_url)))


@cache
def _listed(model: str, base_url: str) -> dict[str, Any] | None:
    if is_loopback(base_url):
        return None
    from genai_prices import Usage, calc_price  # noqa: PLC0415 - loads all prices

    now = datetime.now(UTC)
    try:
        if base_url == LITELLM:
            found = calc_price(Usage(), model, provider_id="litellm", genai_request_timestamp=now)
        else:
            found = calc_price(Usage(), model, provider_api_url=base_url, genai_request_timestamp=now)
    except LookupError:
        return None
    given = {name: getattr(found.model_price, f"{field}_mtok", None) for name, field in _FIELDS.items()}
    known = {name: float(getattr(price, "base", price)) for name, price in given.items() if price is not None}
    return {**known, "source": f"{_PACKAGE} {version(_PACKAGE)}"} if {"input", "output"} <= known.keys() else None


def _asked(model: str) -> tuple[str, str]:
    """The model and the address at which LiteLLM's environment variables say to ask for it."""
    provider, _, name = model.partition("/") if "/" in model else ("openai", "", model)
    told = next(filter(None, (os.environ.get(f"{provider.upper()}_{end}") for end in ("API_BASE", "BASE_URL"))), "")
    return (name, told) if told else (model, LITELLM)


_FIELDS = {"input": "input", "output": "output", "cached_input": "cache_read"}
