"""Settings of a model's server: address, rate and price."""

import os
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from doubleread.agents.wire.addresses import LITELLM, OPENAI, THROUGH_LITELLM, checked_address
from doubleread.agents.wire.prices import TokenPrice
from doubleread.core.authority import FIT, RUN, Asks


class Server(BaseModel):
    """A model on a server that speaks the OpenAI protocol."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: Annotated[str, Asks("this model is asked, and paid for"), FIT] = Field(
        min_length=1, description="The model's name, as the server knows it."
    )
    base_url: Annotated[
        str,
        Asks("questions and pictures are sent to this address; litellm: to the model's provider, with your key for it"),
        RUN,
    ] = Field(
        default=OPENAI, description="The server's address up to /v1, or litellm: the provider in the model's name."
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
        return checked_address(url)

    @model_validator(mode="after")
    def _steers_nothing(self) -> Self:
        if self.base_url == LITELLM and (wrong := sorted(set(self.extra) - THROUGH_LITELLM)):
            raise ValueError(f"extra: {', '.join(wrong)}: through LiteLLM only {', '.join(sorted(THROUGH_LITELLM))}")
        return self

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
