"""Addresses of servers, and the one name that stands in place of an address."""

from urllib.parse import urlsplit

from pydantic_core import PydanticCustomError

from doubleread.core.errors import HIDDEN

OPENAI = "https://api.openai.com/v1"
LITELLM = "litellm"
"""In place of an address: the provider's own address and protocol, through LiteLLM."""

THROUGH_LITELLM = frozenset(
    {"frequency_penalty", "parallel_tool_calls", "presence_penalty", "reasoning_effort", "safety_identifier", "seed"}
    | {"service_tier", "stop", "thinking", "tool_choice", "top_k", "top_p", "user", "verbosity"}
)
"""Fields of ``extra`` that LiteLLM passes on; others of its arguments say where questions go, and with which key."""


def checked_address(url: str) -> str:
    """Returns the address without a slash at its end; raises ``ValueError`` or ``PydanticCustomError``."""
    if url == LITELLM:
        return url
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"must be an address such as http://localhost:8000/v1, or {LITELLM}")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise PydanticCustomError(
            HIDDEN, "must hold no user, password or query: keys belong into an environment variable"
        )
    return url.rstrip("/")
