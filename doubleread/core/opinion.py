"""The answer of one agent about one case: an opinion, or an abstention with its cause."""

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
"""Where a confidence comes from. Each source is calibrated separately."""

OpinionPrior = Literal["balanced", "support", "stated", "unknown"]
"""The label frequencies that an opinion assumes.

``balanced``: all labels equally frequent. ``support``: those of the cases the agent was fitted on. ``stated``: those of
the task's prior. ``unknown``: not known, as for models that were told none.
"""

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
    "unsupported",
    "bad-request",
    "server",
    "network",
    "failure",
]
"""Why an agent gave no opinion."""
PERMANENT: frozenset[AbstentionCause] = frozenset({"authentication", "not-found", "unsupported", "quota", "budget"})
"""Causes that stay until a person changes something."""


class Usage(Record):
    """What an answer used and cost. Usages add up with ``+``.

    Examples:
        >>> from doubleread.core.opinion import Usage
        >>> (Usage(calls=1, cost_usd=0.01) + Usage(calls=1, cost_usd=0.02)).cost_usd
        0.03
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Input tokens that the server had cached and charged less for."""
    image_tokens: int = 0
    """Input tokens spent on images, where the server reports them."""
    calls: int = 0
    """Requests sent, failed ones included; 0 for local agents and for answers from the cache."""
    repeated: int = 0
    """Questions asked a second time because the first answer could not be read; not if the cache had the second."""
    cost_usd: float | None = 0.0
    """US dollars; None if the model has no known price."""

    def __add__(self, other: "Usage") -> "Usage":
        unknown = self.cost_usd is None or other.cost_usd is None
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            image_tokens=self.image_tokens + other.image_tokens,
            calls=self.calls + other.calls,
            repeated=self.repeated + other.repeated,
            cost_usd=None if unknown else (self.cost_usd or 0.0) + (other.cost_usd or 0.0),
        )


class Opinion(Record):
    """One agent's answer: a probability for each label, or a label with a confidence.

    The numbers are the agent's own, before calibration.

    Raises:
        pydantic.ValidationError: The probabilities are negative, do not sum to 1, or do not contain ``label``.

    Examples:
        >>> task = doubleread.Task.of("leaves", ["healthy", "rust"])
        >>> opinion = doubleread.Opinion.from_vector("my-agent", task, [0.1, 0.9], "softmax", prior="balanced")
        >>> opinion.label, opinion.confidence
        ('rust', 0.9)
    """

    agent: str
    label: str
    """The label with the highest probability."""
    confidence: float = Field(ge=0, le=1)
    """The agent's probability of ``label``, 0 to 1."""
    probabilities: dict[str, float] = Field(default_factory=dict)
    """A probability for each label of the task, summing to 1; empty if the agent only named a label."""
    confidence_source: ConfidenceSource
    """Where the numbers come from."""
    prior: OpinionPrior = "unknown"
    """The label frequencies that the opinion assumes. Before fusion all opinions are converted to the same ones."""
    round: int = Field(default=1, ge=1)
    """1 for the first look, 2 for the second."""
    reason: str = ""
    """What the agent gives as its reason."""
    usage: Usage = Usage()
    """Tokens, calls and cost."""
    seconds: float = 0.0
    """How long the answer took."""
    request_id: str | None = None
    """The server's id of the request."""
    model: str = ""
    """The model that answered, as named by the server."""
    prompt: str = ""
    """Id, version and hash of the prompt."""
    cached: bool = False
    """Whether the answer comes from the cache and cost nothing now; ``usage`` is what it used at the time."""
    captured_mass: float | None = None
    """Share of the model's probability that fell on labels, 0 to 1; only with ``logprobs``."""
    notes: tuple[str, ...] = ()
    """What was repaired in the answer, or is unusual about it."""

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
        """Makes an opinion from a distribution of shape ``(n_labels,)``, in the task's label order.

        The vector is divided by its sum.
        """
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
        """Returns the distribution as an array of shape ``(n_labels,)``, in the task's label order.

        If the agent only named a label, the rest of the probability is spread evenly over the other labels.
        """
        if self.probabilities:
            return np.array([self.probabilities[name] for name in task.names])
        rest = (1 - self.confidence) / (len(task.names) - 1)
        return np.array([self.confidence if name == self.label else rest for name in task.names])


class Abstention(Record):
    """An agent gave no opinion, and why.

    The agent is left out of the fusion for this case. A missing answer never counts as a probability of 0.

    Examples:
        >>> doubleread.Abstention(agent="gpt", cause="timeout", detail="no answer within 60 s").cause
        'timeout'
    """

    agent: str
    cause: AbstentionCause
    """The reason, from a fixed list."""
    detail: str = ""
    """The reason in words."""
    round: int = Field(default=1, ge=1)
    seconds: float = 0.0
    usage: Usage = Usage()
    """What was used despite the abstention."""
    request_id: str | None = None


Answer = Opinion | Abstention
"""What an agent returns."""


__all__ = ["Abstention", "AbstentionCause", "Answer", "ConfidenceSource", "Opinion", "OpinionPrior", "Usage"]
