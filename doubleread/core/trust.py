"""Trust profiles: the record of an agent on a task, from cases that it was not fitted on."""

import operator
from collections.abc import Iterable
from datetime import datetime

from pydantic import AliasChoices, Field

from doubleread.core.base import Record
from doubleread.core.opinion import ConfidenceSource, OpinionPrior
from doubleread.core.types import Json


class Estimate(Record):
    """A figure with its 95 % interval, from a bootstrap over groups.

    Examples:
        >>> accuracy = profile.accuracy
        >>> accuracy.low <= accuracy.value <= accuracy.high
        True
    """

    value: float
    low: float
    high: float


class CalibrationError(Record):
    """Expected calibration error, with its 95 % interval and its chance level.

    ``ECE = Σ_b n_b / n · |accuracy_b − confidence_b|`` over bins of confidence (Guo et al. 2017). Even a perfectly
    calibrated agent has an ECE above 0 on finitely many cases; ``chance`` says how large it would be, the chance level.

    Examples:
        >>> ece = profile.ece
        >>> ece.binning, ece.chance <= ece.chance_high
        ('equal-width', True)
    """

    value: float
    low: float
    high: float
    bins: int
    """Number of bins."""
    binning: str = "equal-width"
    chance: float = Field(validation_alias=AliasChoices("chance", "floor"))
    """Mean ECE of a perfectly calibrated agent with the same confidences."""
    chance_high: float = Field(validation_alias=AliasChoices("chance_high", "floor_high"))
    """Its 95th percentile.

    An ECE up to it is no sign of a fault. Older files call the two ``floor`` and ``floor_high``.
    """


class ReliabilityBin(Record):
    """The cases whose confidence lies in one bin.

    Examples:
        >>> sum(one.n for one in profile.reliability) == profile.n
        True
    """

    low: float
    high: float
    n: int
    confidence: float
    """Their mean confidence."""
    accuracy: float
    """The share of them that is right."""


class ConsistencyGap(Record):
    """How much an agent's answers change when the same question is asked in other words or another order.

    Examples:
        >>> profile.consistency  # empty for agents without a prompt
        {}
    """

    n: int
    """Repeated readings."""
    flips: Estimate
    """Share of readings whose label changed."""
    distance: Estimate
    """Mean total variation distance between the distributions, 0 to 1."""


class TrustProfile(Record):
    """The record of one agent, or of the panel, in one round on the ``n`` calibration cases it answered.

    No case that a figure counts was used to fit the agent. OCR and CCC are defined in arXiv 2507.10571, section 3.

    Examples:
        >>> profile.agent, profile.round, profile.n
        ('discriminant', 1, 24)
        >>> profile.accuracy.value > 0.5
        True
    """

    agent: str
    """The agent's name, or ``panel``."""
    task: str
    round: int = 1
    confidence_source: ConfidenceSource | None = None
    prior: OpinionPrior | None = None
    """The label frequencies that its opinions assume; None for the panel."""
    n: int
    """Cases it answered."""
    abstained: int = 0
    """Cases it did not answer; no figure counts them."""
    accuracy: Estimate
    """Share of right labels."""
    ece: CalibrationError
    """Expected calibration error of the confidence in the leading label."""
    classwise_ece: float
    """Mean over the labels of the ECE of each label's probability."""
    ocr: float
    """Overconfidence rate: share of *all* cases that are wrong with a confidence above ``ocr_threshold``."""
    ocr_threshold: float
    ccc: float | None
    """Confidence-correctness correlation (Pearson). None if all answers are right, all wrong or equally confident."""
    brier: Estimate
    """Brier score: mean squared distance between the distribution and the true label, 0 to 2."""
    nll: Estimate
    """Log-loss: mean negative logarithm of the true label's probability, in nats."""
    confusion: tuple[tuple[int, ...], ...]
    """Numbers of cases: ``confusion[true][said]``, in label order."""
    reliability: tuple[ReliabilityBin, ...] = ()
    calibrator: Json = Field(default_factory=dict)
    """``{"kind": …}`` and the parameters of the fitted calibrator; empty for the panel."""
    calibrated_accuracy: Estimate | None = None
    """Accuracy after calibration, cross-fitted."""
    calibrated_ece: CalibrationError | None = None
    """ECE after calibration, cross-fitted."""
    calibrated_nll: Estimate | None = None
    """Log-loss after calibration, cross-fitted."""
    influence: Estimate | None = None
    """How far held-out posteriors move if the agent is left out: mean total variation distance, 0 to 1."""
    benefit: Estimate | None = None
    """How much the panel's held-out log-loss rises without the agent, in nats; below 0 the agent does harm."""
    consistency: dict[str, ConsistencyGap] = Field(default_factory=dict)
    """By kind of rewording: ``paraphrase``, ``permutation``. Empty for agents without a prompt."""
    further: dict[str, Estimate] = Field(default_factory=dict, exclude_if=operator.not_)
    """Metrics that have no field of their own, by name."""
    warnings: tuple[str, ...] = ()
    version: int = 1
    """Version of the panel's trust that the profile belongs to."""
    learned_from: str = ""
    """``calibration split`` or ``cross-validation in k folds``."""
    created: datetime | None = None


class PanelMember(Record):
    """One agent or referee of a panel, whether or not it is asked. Every table of agents has a row for each.

    Examples:
        >>> {one.agent: one.answered for one in panel.members}["discriminant"]
        '24'
    """

    agent: str
    n: int
    """Calibration cases that it answered in its first look."""
    cases: int
    """Calibration cases."""
    unused: str = ""
    """Why it is never asked; empty if it is."""
    no_second_look: str = ""
    """Why it is never asked for a second look, although it could take one; empty otherwise."""

    @property
    def answered(self) -> str:
        """How many of the calibration cases it answered: ``240``, or ``0 of 240``."""
        return n_of(self.n, self.cases - self.n)

    @property
    def note(self) -> str:
        """What it is not asked for, and why; empty if it is asked for everything that it can do."""
        if self.unused:
            return f"{self.agent} is not used: {self.unused}"
        return f"{self.agent} takes no second look: {self.no_second_look}" if self.no_second_look else ""


def n_of(n: int, abstained: int) -> str:
    """Says how many cases were answered: ``240`` if it was all of them, else ``200 of 240``."""
    return f"{n:,} of {n + abstained:,}" if abstained else f"{n:,}"


def trust_version(profiles: Iterable[TrustProfile]) -> int:
    """Returns the version of a panel's trust, which all its profiles share."""
    return max((p.version for p in profiles), default=1)


__all__ = ["CalibrationError", "ConsistencyGap", "Estimate", "PanelMember", "ReliabilityBin", "TrustProfile"]
