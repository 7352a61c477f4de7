"""What the panel says about one case, and why."""

from collections import Counter
from typing import Literal

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Opinion

Action = Literal["commit", "ask-more", "second-look", "refer"]
LEANINGS = frozenset({"leaning", "leanings"})
"""The fields that no output shows, JSON for other programs included: they would be taken for probabilities."""


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
    """Posterior of the first round; empty where the image is unlike what the panel was trusted on."""
    changes: tuple[AgentChange, ...] = ()


class Verdict(Record):
    """Posterior, prediction set, decision, and the opinions behind them."""

    case: Case
    task: str
    posterior: dict[str, float]
    """Calibrated; empty where no agent gave an opinion, and where the image raises the alarm of ``familiarity``."""
    leaning: dict[str, float] = Field(default_factory=dict)
    """What the posterior would be if trust applied to this image; only where the alarm took ``posterior`` away.

    Evaluations need it. It is no calibrated probability and is not shown as one.
    """
    prediction_set: tuple[str, ...] = ()
    """Labels that cannot be excluded at ``coverage``; empty where none of the labels fits."""
    p_values: dict[str, float] = Field(default_factory=dict)
    """Of each label: the share of held-out cases of that label that fit it no better. The set holds those above
    ``1 - coverage``."""
    coverage: float | None = None
    """Coverage the prediction set promises; None where nothing is promised, as after an alarm."""
    decision: Decision
    track: Track | None = None
    familiarity: Unfamiliarity | None = None
    """Whether this image is anything the panel was trusted on; None where there is nothing to tell it by."""
    influence: dict[str, float] = Field(default_factory=dict)
    """How far each agent that spoke moves this verdict: the total variation distance between the posterior and what it
    would be without the agent, 0 to 1."""
    opinions: tuple[Opinion, ...] = ()
    """Every round's opinions; ``round`` tells them apart."""
    calibrated: dict[str, dict[str, float]] = Field(default_factory=dict)
    """The last opinion of each agent after calibration; empty after an alarm."""
    leanings: dict[str, dict[str, float]] = Field(default_factory=dict)
    """What ``calibrated`` would be if trust applied to this image; see ``leaning``."""
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
    def unfamiliar(self) -> bool:
        """Whether the image is unlike what the panel was trusted on: no probability or track record applies to it."""
        return self.familiarity is not None and self.familiarity.alarm

    @property
    def scores(self) -> dict[str, float]:
        """The posterior, or ``leaning`` in its place: for evaluations, which count every case."""
        return self.posterior or self.leaning

    @property
    def agent_scores(self) -> dict[str, dict[str, float]]:
        """``calibrated``, or ``leanings`` in its place: for evaluations."""
        return self.calibrated or self.leanings

    @property
    def last_opinions(self) -> dict[str, Opinion]:
        """Each agent's last opinion."""
        return {o.agent: o for o in sorted(self.opinions, key=lambda o: o.round)}

    @property
    def silent(self) -> tuple[Abstention, ...]:
        """The last abstention of each agent that gave no opinion at all."""
        spoke = self.last_opinions
        return tuple({a.agent: a for a in self.abstentions if a.agent not in spoke}.values())

    @property
    def label(self) -> str | None:
        """The leading label, committed or not; None where no agent gave an opinion.

        After an alarm that has come without ``leaning``, as in the CLI's JSON, the one that most agents named last.
        """
        if self.scores:
            return max(self.scores, key=lambda name: self.scores[name])
        last = {o.agent: o.label for o in sorted(self.opinions, key=lambda o: o.round)}
        return Counter(last.values()).most_common(1)[0][0] if last and self.unfamiliar else None

    @property
    def confidence(self) -> float:
        """Calibrated probability of ``label``; 0 without a posterior."""
        return max(self.posterior.values(), default=0.0)


class Unread(Record):
    """A case that could not be read at all, and why."""

    source: str
    code: str
    problem: str
