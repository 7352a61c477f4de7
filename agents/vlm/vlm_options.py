"""Settings of the models, one table per agent."""

from typing import Annotated, Literal

from pydantic import Field

from doubleread.agents.wire.server_options import Server
from doubleread.core.authority import INERT

Confidence = Literal["verbalized-distribution", "verbalized", "logprobs", "class-probabilities", "consistency"]
TRANSPORT = frozenset(Server.model_fields) - {"model", "extra"}
"""Options that may differ between machines without changing any answer."""


class VlmOptions(Server):
    """A vision–language model as an agent; its name is that of the table, ``[vlm.NAME]``."""

    confidence: Confidence = Field(
        default="verbalized-distribution",
        description="Where its probabilities come from: verbalized-distribution (a number for every label), verbalized "
        "(one number), logprobs (of the label's letter), class-probabilities (OpenAI's decisions API), consistency "
        "(the mean of several readings in other words and other orders).",
    )
    prompt: Annotated[str, INERT] = Field(
        default="vlm-read", description="Prompt of the first reading, as ID or ID@VERSION."
    )
    second_prompt: Annotated[str, INERT] = Field(default="vlm-reconsider", description="Prompt of the second look.")
    second_alternatives: Annotated[tuple[str, ...], INERT] = Field(
        default=(),
        description="Other prompts of the second look, such as vlm-contrast. Fitting asks every calibration image with "
        "each of them too, and uses one in place of `second_prompt` if its log-loss there is clearly lower.",
    )
    image_side: int = Field(
        default=1024, ge=64, le=4096, description="Longer side of the image that is sent, in pixels."
    )
    reference_side: int = Field(
        default=512, ge=64, le=4096, description="Longer side of the similar images that are sent, in pixels."
    )
    references: int = Field(default=6, ge=1, le=20, description="Most similar images shown in a second look.")
    samples: int = Field(default=3, ge=2, le=20, description="Number of readings for `consistency`.")
    temperature: float | None = Field(default=0.0, ge=0, le=2, description="Sampling temperature.")
    max_tokens: int = Field(default=1000, ge=1, le=1_000_000, description="Most tokens in an answer.")


class ReasonerOptions(Server):
    """A language model as referee; its name is that of the table, ``[reasoner.NAME]``."""

    prompt: Annotated[str, INERT] = Field(default="reasoner", description="Its prompt, as ID or ID@VERSION.")
    temperature: float | None = Field(default=0.0, ge=0, le=2, description="Sampling temperature.")
    max_tokens: int = Field(default=1500, ge=1, le=1_000_000, description="Most tokens in an answer.")


class TalkOptions(Server):
    """A language model that holds the conversation in sessions; its name is that of the table, ``[talk.NAME]``."""

    temperature: float | None = Field(default=0.0, ge=0, le=2, description="Sampling temperature.")
    max_tokens: int = Field(default=1000, ge=1, le=1_000_000, description="Most tokens in an answer.")
    memory: int = Field(
        default=4000, ge=0, description="Characters of the talk before that it is told, the latest turns; 0: none."
    )
