"""The panel's verdict on one case, and what it rests on."""

from collections import Counter
from html import escape
from typing import Literal

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Opinion
from doubleread.core.picture_record import PictureRecord
from doubleread.core.terminal_text import harmless

Action = Literal["commit", "ask-more", "second-look", "refer"]
"""What the panel does next; a finished verdict commits or refers."""
LEANINGS = frozenset({"leaning", "leanings"})
"""Fields of ``Verdict`` that no output shows, JSON included: they would be mistaken for probabilities."""


class Decision(Record):
    """What the panel decided about a case.

    Examples:
        >>> decision = verdict.decision
        >>> (decision.label is None) == (decision.action != "commit")
        True
    """

    action: Action
    label: str | None = None
    """The label that the panel commits to; None for any other action."""
    reasons: tuple[str, ...] = ()
    """Why, in sentences."""
    expected_cost: float | None = None
    """Expected cost of the action, in units of one ordinary error."""


class Track(Record):
    """How often the panel was right on held-out cases with a similar score.

    Examples:
        >>> track = verdict.track  # None where too few cases are similar
        >>> track is None or track.right <= track.n
        True
    """

    n: int
    """Held-out cases with a similar score."""
    right: int
    """How many of them were right."""
    low: float
    """Lower end of the 95 % interval of their share (Wilson)."""
    high: float


class Unfamiliarity(Record):
    """How much an image differs from the cases that trust was learned on.

    After an ``alarm`` no calibrated probability and no track record applies to the image.

    Examples:
        >>> verdict.familiarity.alarm
        False
        >>> 0 < verdict.familiarity.p_value <= 1
        True
    """

    score: float
    """``distance_z`` and ``doubt_z`` combined; 0 is the middle of the held-out cases, higher is less familiar."""
    threshold: float | None
    """Score above which the alarm is raised; None if there are too few held-out cases to guarantee its rate."""
    p_value: float = Field(gt=0, le=1)
    """Share of cases, this one included, that are at least as unfamiliar (full conformal)."""
    n: int
    """Held-out cases it was compared with."""
    distance_z: float | None = None
    """Distance from the stored cases, in standard normal units; None without evidence."""
    doubt_z: float | None = None
    """How unsure the agents are compared with their usual answers, in the same units; None if none answered."""
    alarm: bool = False
    """Whether the image is too unlike the calibration cases."""
    reason: str = ""
    """Why the alarm was raised."""


class AgentChange(Record):
    """How one agent's answer changed between the first and the second look.

    Examples:
        >>> from doubleread.core.verdict import AgentChange
        >>> AgentChange(agent="logistic", before="rust", after="scab").moved
        True
    """

    agent: str
    before: str | None
    """The label it named first; None if it abstained."""
    after: str | None
    before_confidence: float | None = None
    after_confidence: float | None = None

    @property
    def moved(self) -> bool:
        """Whether the label changed."""
        return self.before != self.after


class SecondLook(Record):
    """Why the panel looked again, and what changed.

    Examples:
        >>> verdict.second_look is None  # the first look was enough
        True
    """

    reasons: tuple[str, ...]
    rounds: int
    before: dict[str, float]
    """Posterior of the first round; empty after an alarm."""
    changes: tuple[AgentChange, ...] = ()
    """One for each agent that looked again."""


class Verdict(Record):
    """What the panel says about one case: posterior, prediction set, decision, and what they rest on.

    ``print(verdict)`` shows a card; in a notebook a verdict draws itself. ``model_dump_json()`` gives JSON.

    Examples:
        >>> verdict = panel.diagnose("leaf.jpg")
        >>> verdict.label, verdict.decision.action
        ('red', 'commit')
        >>> round(sum(verdict.posterior.values()), 6)
        1.0
        >>> verdict.prediction_set, verdict.coverage
        (('red',), 0.9)
    """

    case: Case
    picture: PictureRecord | None = None
    """What the image file held before it was converted; None in verdicts of older versions."""
    task: str
    """Id of the task."""
    posterior: dict[str, float]
    """Calibrated probability of each label. Empty if no agent gave an opinion, and after an alarm."""
    leaning: dict[str, float] = Field(default_factory=dict)
    """What the posterior would have been, after an alarm only. Evaluations need it. It is not a calibrated probability
    and is not shown as one."""
    prediction_set: tuple[str, ...] = ()
    """Labels that cannot be excluded at ``coverage`` (split conformal); empty if no label fits."""
    p_values: dict[str, float] = Field(default_factory=dict)
    """Conformal p-value of each label. The prediction set holds the labels above ``1 - coverage``."""
    coverage: float | None = None
    """How often such sets hold the true label; None if nothing can be promised, as after an alarm."""
    decision: Decision
    track: Track | None = None
    """How often the panel was right on similar scores; None after an alarm or with too few cases."""
    familiarity: Unfamiliarity | None = None
    """How much the image differs from the calibration cases; None if that cannot be told."""
    influence: dict[str, float] = Field(default_factory=dict)
    """How far each agent moves this verdict: total variation distance between the posterior with and without it, 0 to
    1."""
    opinions: tuple[Opinion, ...] = ()
    """The opinions of all rounds, before calibration; see ``Opinion.round``."""
    calibrated: dict[str, dict[str, float]] = Field(default_factory=dict)
    """The last opinion of each agent after calibration; empty after an alarm."""
    leanings: dict[str, dict[str, float]] = Field(default_factory=dict)
    """What ``calibrated`` would have been, after an alarm only."""
    abstentions: tuple[Abstention, ...] = ()
    spared: tuple[str, ...] = ()
    """Agents that were not asked because their answers were not worth their price on this case."""
    evidence: Evidence | None = None
    """The similar cases."""
    second_look: SecondLook | None = None
    """None if the first look was enough."""
    warnings: tuple[str, ...] = ()
    trust_version: int = 1
    """Version of the panel's trust that was used."""
    seconds: float = 0.0
    """How long the diagnosis took."""
    cost_usd: float = 0.0
    """What the answers of models cost, in US dollars."""

    @property
    def unfamiliar(self) -> bool:
        """Whether the image raised the alarm: no probability or track record applies to it."""
        return self.familiarity is not None and self.familiarity.alarm

    @property
    def scores(self) -> dict[str, float]:
        """``posterior``, or ``leaning`` after an alarm: for evaluations, which count every case."""
        return self.posterior or self.leaning

    @property
    def agent_scores(self) -> dict[str, dict[str, float]]:
        """``calibrated``, or ``leanings`` after an alarm: for evaluations."""
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
        """The most probable label, committed or not; None if no agent gave an opinion.

        After an alarm without ``leaning``, as in the CLI's JSON, it is the label that most agents named last.
        """
        if self.scores:
            return max(self.scores, key=lambda name: self.scores[name])
        last = {o.agent: o.label for o in sorted(self.opinions, key=lambda o: o.round)}
        return Counter(last.values()).most_common(1)[0][0] if last and self.unfamiliar else None

    @property
    def confidence(self) -> float:
        """Calibrated probability of ``label``; 0 if ``posterior`` is empty."""
        return max(self.posterior.values(), default=0.0)


class Unread(Record):
    """An image that could not be read, in place of its verdict in a batch.

    Examples:
        >>> [result] = panel.diagnose_many(["missing.jpg"])
        >>> isinstance(result, doubleread.Unread), result.source
        (True, 'missing.jpg')
    """

    source: str
    """Where the image came from."""
    code: str
    """The reason for programs, such as ``missing`` or ``corrupt``; see ``ImageError``."""
    problem: str
    """The reason for people."""

    def __str__(self) -> str:
        return harmless(f"∅ {self.source}: {self.problem}")

    def __repr__(self) -> str:
        return harmless(f"<Unread {self.source}: {self.problem}>")

    def _repr_html_(self) -> str:
        return f"<p>∅ <b>{escape(self.source)}</b> could not be read: {escape(self.problem)}</p>"


__all__ = [
    "LEANINGS",
    "Action",
    "AgentChange",
    "Decision",
    "SecondLook",
    "Track",
    "Unfamiliarity",
    "Unread",
    "Verdict",
]
