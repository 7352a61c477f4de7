"""What the panel says about one case, and why."""

from typing import Literal

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Opinion

Action = Literal["commit", "ask-more", "second-look", "refer"]


class Decision(Record):
    """Commit to ``label``, ask further, look again, or refer to a person; ``label`` is None unless committed."""

    action: Action
    label: str | None = None
    reasons: tuple[str, ...] = ()
    expected_cost: float | None = None
    """Expected cost of the action, in units of one ordinary error."""


class Track(Record):
    """Of ``n`` held-out cases with a similar score, ``right`` were right (95 % interval: Wilson)."""

    n: int
    right: int
    low: float
    high: float


class Unfamiliarity(Record):
    """How unlike the cases that the panel was trusted on an image is; an ``alarm`` says that no trust applies to it."""

    score: float
    """``distance_z`` and ``doubt_z`` together; 0 is the middle of the held-out cases."""
    threshold: float | None
    """Score beyond which the alarm goes off; None where too few held-out cases can promise its rate."""
    p_value: float = Field(gt=0, le=1)
    """Share of cases, this one among them, that are at least as unfamiliar."""
    n: int
    """Held-out cases it was compared with."""
    distance_z: float | None = None
    """How far it lies from the stored cases, in standard normal units; None without evidence."""
    doubt_z: float | None = None
    """How unsure the agents are, each by its own standards; None where none spoke."""
    alarm: bool = False
    reason: str = ""


class AgentChange(Record):
    """How one agent's answer moved between the first and the second look."""

    agent: str
    before: str | None
    after: str | None
    before_confidence: float | None = None
    after_confidence: float | None = None

    @property
    def moved(self) -> bool:
        return self.before != self.after


class SecondLook(Record):
    """Why the panel looked again and what that changed."""

    reasons: tuple[str, ...]
    rounds: int
    before: dict[str, float]
    """Posterior of the first round."""
    changes: tuple[AgentChange, ...] = ()


class Verdict(Record):
    """Posterior, prediction set, decision, and the opinions behind them."""

    case: Case
    task: str
    posterior: dict[str, float]
    """Calibrated; empty where no agent gave an opinion."""
    prediction_set: tuple[str, ...] = ()
    coverage: float | None = None
    """Coverage the prediction set promises, on cases exchangeable with the calibration cases."""
    decision: Decision
    track: Track | None = None
    familiarity: Unfamiliarity | None = None
    """Whether this image is anything the panel was trusted on; None where there is nothing to tell it by."""
    weights: dict[str, float] = Field(default_factory=dict)
    """Share of each agent in the final posterior, summing to 1."""
    opinions: tuple[Opinion, ...] = ()
    """Every round's opinions; ``round`` tells them apart."""
    calibrated: dict[str, dict[str, float]] = Field(default_factory=dict)
    """The last opinion of each agent after calibration."""
    abstentions: tuple[Abstention, ...] = ()
    spared: tuple[str, ...] = ()
    """Agents that were not asked: their answers were not worth their price on this case."""
    evidence: Evidence | None = None
    second_look: SecondLook | None = None
    warnings: tuple[str, ...] = ()
    trust_version: int = 1
    """Version of the trust it rests on."""
    seconds: float = 0.0
    cost_usd: float = 0.0

    @property
    def label(self) -> str | None:
        """The most probable label, committed or not."""
        return max(self.posterior, key=lambda name: self.posterior[name]) if self.posterior else None

    @property
    def confidence(self) -> float:
        """Calibrated probability of ``label``; 0 without a posterior."""
        return max(self.posterior.values(), default=0.0)


class Unread(Record):
    """A case that could not be read at all, and why."""

    source: str
    code: str
    problem: str
