"""Settings of a model's server: address, rate and price."""

import os
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from doubleread.agents.wire.prices import TokenPrice
from doubleread.core.authority import FIT, RUN, Asks
from doubleread.core.errors import HIDDEN

OPENAI = "https://api.openai.com/v1"


class Server(BaseModel):
    """A model on a server that speaks the OpenAI protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: Annotated[str, Asks("this model is asked, and paid for"), FIT] = Field(
        min_length=1, description="The model's name, as the server knows it."
    )
    base_url: Annotated[str, Asks("questions and pictures are sent to this address"), RUN] = Field(
        default=OPENAI, description="Address of the server, up to and including /v1."
    )
    key_variable: Annotated[
        str | None, Asks("what this environment variable holds is sent there as the key", value_of="key_name"), RUN
    ] = Field(
        default=None,
        description="Environment variable that holds the key; unset: OPENAI_API_KEY for OpenAI itself, else none.",
    )
    in_flight: Annotated[int, RUN] = Field(default=16, ge=1, le=1024, description="Most calls at the same time.")
    requests_per_minute: Annotated[float | None, RUN] = Field(
        default=None, gt=0, description="Most calls in a minute; unset: learned from the server's refusals."
    )
    attempt_timeout_s: Annotated[float, RUN] = Field(default=60.0, gt=0, description="Seconds to wait for one attempt.")
    deadline_s: Annotated[float, RUN] = Field(
        default=300.0, gt=0, description="Seconds to wait for a call, including its turn and retries."
    )
    attempts: Annotated[int, RUN] = Field(
        default=4, ge=1, le=10, description="Attempts at a call that failed temporarily."
    )
    price: Annotated[TokenPrice | None, Asks("calls are counted towards the budget at this price"), RUN] = Field(
        default=None, description="Price, if the price table does not have it."
    )
    extra: Annotated[dict[str, object], Asks("every request carries these fields as well"), FIT] = Field(
        default_factory=dict, description="Further fields of the request's body."
    )

    @field_validator("base_url")
    @classmethod
    def _is_address(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an address such as http://localhost:8000/v1")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise PydanticCustomError(
                HIDDEN, "must hold no user, password or query: keys belong into an environment variable"
            )
        return url.rstrip("/")

    @property
    def sampling(self) -> dict[str, Any]:
        """Fields of a request that these options set."""
        return self.model_dump(include={"model", "max_tokens", "temperature", "extra"})

    @property
    def key_name(self) -> str:
        """Environment variable of the key; empty if none is sent. OpenAI's key goes to no other host."""
        if self.key_variable is not None:
            return self.key_variable
        return "OPENAI_API_KEY" if self.base_url == OPENAI else ""

    def key(self) -> str:
        """Reads the current key; empty if none is set."""
        return os.environ.get(self.key_name, "").strip() if self.key_name else ""
