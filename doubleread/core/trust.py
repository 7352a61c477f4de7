"""What is known of an agent on a task, learned from answers on cases it was not fitted on."""

import operator
from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.opinion import ConfidenceSource, OpinionPrior
from doubleread.core.types import Json


class Estimate(Record):
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class CalibrationError(Record):
    """ECE with its binning and the ECE that a perfectly calibrated agent would show on as many cases."""

    value: float
    low: float
    high: float
    bins: int
    binning: str = "equal-width"
    floor: float
    """Mean ECE of a perfectly calibrated agent with these confidences (sampling floor)."""
    floor_high: float
    """Its 95th percentile: an ECE below it is no sign of miscalibration."""


class ReliabilityBin(Record):
    """Cases whose confidence fell into one bin."""

    low: float
    high: float
    n: int
    confidence: float
    accuracy: float


class ConsistencyGap(Record):
    """How much an agent changes when the same question is put otherwise, on ``n`` repeated readings.

    ``flips`` is the share of readings whose label changed; ``distance`` the mean total variation distance between
    the distributions (0: the same, 1: nothing in common).
    """

    n: int
    flips: Estimate
    distance: Estimate


class TrustProfile(Record):
    """Accuracy, calibration and confusion of one agent in one round, with n and intervals.

    OCR is the share of *all* cases that were wrong with a confidence above ``ocr_threshold``; CCC is
    the Pearson correlation of confidence and correctness (both: arXiv 2507.10571, section 3).
    """

    agent: str
    task: str
    round: int = 1
    confidence_source: ConfidenceSource | None = None
    prior: OpinionPrior | None = None
    """The label frequencies that its opinions assume; None for the panel."""
    n: int
    abstained: int = 0
    accuracy: Estimate
    ece: CalibrationError
    classwise_ece: float
    ocr: float
    ocr_threshold: float
    ccc: float | None
    """None where it is undefined: all right, all wrong, or all equally confident."""
    brier: Estimate
    nll: Estimate
    confusion: tuple[tuple[int, ...], ...]
    """``confusion[true][said]``, in label order."""
    reliability: tuple[ReliabilityBin, ...] = ()
    calibrator: Json = Field(default_factory=dict)
    """``{"kind": …, parameters}`` of the fitted calibrator; empty for the panel itself."""
    calibrated_accuracy: Estimate | None = None
    calibrated_ece: CalibrationError | None = None
    calibrated_nll: Estimate | None = None
    """The same after calibration, cross-fitted."""
    influence: Estimate | None = None
    """How far leaving the agent out moves held-out posteriors: mean total variation distance, 0 to 1."""
    benefit: Estimate | None = None
    """How much the panel's held-out log-loss rises without the agent, in nats; below 0 where it does harm."""
    consistency: dict[str, ConsistencyGap] = Field(default_factory=dict)
    """By kind of rewording (``paraphrase``, ``permutation``); empty for agents that cannot be asked otherwise."""
    further: dict[str, Estimate] = Field(default_factory=dict, exclude_if=operator.not_)
    """Metrics that have no field of their own, by name."""
    warnings: tuple[str, ...] = ()
    version: int = 1
    learned_from: str = ""
    """``calibration split`` or ``cross-fitting in k folds``."""
    created: datetime | None = None


def trust_version(profiles: Iterable[TrustProfile]) -> int:
    """The version of a panel's trust: that of its profiles."""
    return max((p.version for p in profiles), default=1)
