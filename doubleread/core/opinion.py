"""What one agent says about one case: an opinion, or an abstention with its cause."""

from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from doubleread.core.base import Record
from doubleread.core.task import Task
from doubleread.core.types import Vector

ConfidenceSource = Literal[
    "softmax",
    "neighbours",
    "verbalized",
    "verbalized-distribution",
    "logprobs",
    "class-probabilities",
    "consistency",
    "recorded",
]
"""Where the numbers come from. Each source is calibrated on its own: they never mix."""

OpinionPrior = Literal["balanced", "support", "stated", "unknown"]
"""The label frequencies that an opinion assumes: all labels equally frequent, those of the cases the agent was fitted
on, those that the task states, or unknown, as with models that were never told any."""

AbstentionCause = Literal[
    "no-text-encoder",
    "no-evidence",
    "not-fitted",
    "not-recorded",
    "image",
    "timeout",
    "refusal",
    "filter",
    "length",
    "invalid-answer",
    "rate-limit",
    "quota",
    "budget",
    "authentication",
    "not-found",
    "bad-request",
    "server",
    "network",
    "failure",
]


class Usage(Record):
    """What an answer used and cost; ``cost_usd`` is None where the model has no known price."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Input tokens that the server had seen before and charged less for."""
    image_tokens: int = 0
    """Input tokens spent on images, where the server says so."""
    calls: int = 0
    """Requests that were sent, failed ones included; 0 for local agents and for answers from the cache."""
    cost_usd: float | None = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        unknown = self.cost_usd is None or other.cost_usd is None
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            image_tokens=self.image_tokens + other.image_tokens,
            calls=self.calls + other.calls,
            cost_usd=None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0),
        )


class Opinion(Record):
    """One agent's answer: a probability for every label, and/or a label with a confidence."""

    agent: str
    label: str
    confidence: float = Field(ge=0, le=1)
    probabilities: dict[str, float] = Field(default_factory=dict)
    """One per label of the task, summing to 1; empty where the agent only named a label."""
    confidence_source: ConfidenceSource
    prior: OpinionPrior = "unknown"
    """The label frequencies it assumes; the arbiter converts opinions to those of the calibration cases."""
    round: int = Field(default=1, ge=1)
    reason: str = ""
    usage: Usage = Usage()
    seconds: float = 0.0
    request_id: str | None = None
    model: str = ""
    """The model that answered, in the server's words."""
    prompt: str = ""
    """Id, version and hash of the prompt that was used."""
    cached: bool = False
    """An answer that was paid for before; ``usage`` says what it used then, and cost nothing now."""
    captured_mass: float | None = None
    """Share of the model's probability that fell on labels (``logprobs`` only)."""
    notes: tuple[str, ...] = ()
    """What was mended or is odd about this answer."""

    @model_validator(mode="after")
    def _is_distribution(self) -> Self:
        if self.probabilities:
            if abs(sum(self.probabilities.values()) - 1) > 1e-4 or min(self.probabilities.values()) < 0:
                raise ValueError("probabilities must be non-negative and sum to 1")
            if self.label not in self.probabilities:
                raise ValueError(f"label {self.label!r} has no probability")
        return self

    @classmethod
    def from_vector(
        cls,
        agent: str,
        task: Task,
        vector: Vector,
        source: ConfidenceSource,
        *,
        prior: OpinionPrior = "unknown",
        round: int = 1,
        reason: str = "",
    ) -> Self:
        """An opinion from a full distribution of shape ``(n_labels,)`` in the task's label order."""
        p = np.asarray(vector, dtype=float)
        p = p / p.sum()
        top = int(p.argmax())
        return cls(
            agent=agent,
            label=task.names[top],
            confidence=float(p[top]),
            probabilities={name: float(x) for name, x in zip(task.names, p, strict=True)},
            confidence_source=source,
            prior=prior,
            round=round,
            reason=reason,
        )

    def vector(self, task: Task) -> Vector:
        """The distribution in label order; a bare confidence leaves the rest to the other labels evenly."""
        if self.probabilities:
            return np.array([self.probabilities[name] for name in task.names])
        rest = (1 - self.confidence) / (len(task.names) - 1)
        return np.array([self.confidence if name == self.label else rest for name in task.names])


class Abstention(Record):
    """No answer, and why. It is never counted as a probability of 0."""

    agent: str
    cause: AbstentionCause
    detail: str = ""
    round: int = Field(default=1, ge=1)
    seconds: float = 0.0
    usage: Usage = Usage()
    request_id: str | None = None


Answer = Opinion | Abstention
