"""Orchestrations of the same recorded answers, side by side: figures with intervals, and paired differences."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from doubleread.core.base import Record
from doubleread.core.opinion import Answer, Opinion
from doubleread.core.task import Task
from doubleread.core.trust import CalibrationError, Estimate, ReliabilityBin
from doubleread.core.types import Labels, Tensor3, Vector
from doubleread.orchestrator import metrics
from doubleread.orchestrator.metrics.case_metrics import ACCURACY, BRIER, NLL
from doubleread.orchestrator.metrics.metric import CaseMetric
from doubleread.orchestrator.resampling import bootstrap

BINS = 15


@dataclass(frozen=True)
class System:
    """Something that gives every case a distribution: ``posterior`` of shape ``(repeats, n, k)``.

    One repeat for what was recorded, one for each cross-fitting for what was learned.
    """

    name: str
    posterior: Tensor3
    cost_usd: float = 0.0
    looked_again: float = 0.0

    @classmethod
    def recorded(cls, name: str, answers: Sequence[Answer], task: Task, *, looked_again: float = 0.0) -> "System":
        """Answers as they were given; a bare confidence leaves the rest to the other labels evenly."""
        rows = [a.vector(task) if isinstance(a, Opinion) else task.prior_vector() for a in answers]
        cost = float(np.mean([answer.usage.cost_usd or 0.0 for answer in answers]))
        return cls(name, np.array(rows)[None], cost, looked_again)


class SystemScores(Record):
    """How one system did; intervals are 95 %, bootstrapped over images."""

    name: str
    accuracy: Estimate
    nll: Estimate
    brier: Estimate
    ece: CalibrationError
    classwise_ece: float
    aurc: float
    accuracy_at_90: float
    """Accuracy among the 90 % of images with the highest confidence."""
    cost_usd: float
    looked_again: float
    reliability: tuple[ReliabilityBin, ...]
    """Of the first repeat: repeats are the same images again."""


class SystemGain(Record):
    """By how much one system beats another on the same images; above 0 is better."""

    better: str
    than: str
    accuracy: Estimate
    nll: Estimate
    worst_repeat: float
    """The difference in accuracy in the cross-fitting where it was least."""


def scores(system: System, labels: Labels) -> SystemScores:
    """Means over the repeats of what each repeat scores."""
    confidence = system.posterior.max(axis=2)
    correct = system.posterior.argmax(axis=2) == labels

    def each(of: Callable[[Vector, metrics.Flags], float]) -> Vector:
        return np.array([of(c, ok) for c, ok in zip(confidence, correct, strict=True)])

    eces = each(lambda c, ok: metrics.ece(c, ok, BINS))
    chance = metrics.ece_chance(confidence[0], BINS, np.random.default_rng(0))
    ece = _mean_of(eces) if len(eces) > 1 else Estimate(value=eces[0], low=eces[0], high=eces[0])
    return SystemScores(
        name=system.name,
        accuracy=_over_images(_by_image(ACCURACY, system, labels)),
        nll=_over_images(_by_image(NLL, system, labels)),
        brier=_over_images(_by_image(BRIER, system, labels)),
        ece=CalibrationError(
            value=ece.value, low=ece.low, high=ece.high, bins=BINS, chance=chance.mean, chance_high=chance.high
        ),
        classwise_ece=float(np.mean([metrics.classwise_ece(P, labels, BINS) for P in system.posterior])),
        aurc=float(each(metrics.aurc).mean()),
        accuracy_at_90=float(each(lambda c, ok: metrics.accuracy_at_coverage(c, ok, 0.9)).mean()),
        cost_usd=system.cost_usd,
        looked_again=system.looked_again,
        reliability=metrics.reliability_bins(confidence[0], correct[0], BINS),
    )


def differences(ours: System, others: Mapping[str, System], labels: Labels) -> tuple[SystemGain, ...]:
    """Paired by image against every other system."""
    return tuple(
        SystemGain(
            better=ours.name,
            than=name,
            accuracy=_gain(ACCURACY, ours, other, labels),
            nll=_gain(NLL, ours, other, labels),
            worst_repeat=float((_accuracies(ours, labels) - _accuracies(other, labels)).min()),
        )
        for name, other in others.items()
    )


def _accuracies(system: System, labels: Labels) -> Vector:
    """Of each repeat; one value where there is one."""
    return np.asarray((system.posterior.argmax(axis=2) == labels).mean(axis=1))


def _by_image(metric: CaseMetric, system: System, labels: Labels) -> Vector:
    """Of each image, the mean over the repeats, shape ``(n,)``."""
    return np.asarray(np.mean([metric.of(P, labels).astype(float) for P in system.posterior], axis=0))


def _gain(metric: CaseMetric, ours: System, other: System, labels: Labels) -> Estimate:
    mine, theirs = (_by_image(metric, system, labels) for system in (ours, other))
    return _over_images(mine - theirs if metric.better == "higher" else theirs - mine)


def _over_images(values: Vector) -> Estimate:
    return bootstrap(lambda rows: float(values[rows].mean()), len(values))


def _mean_of(values: Vector) -> Estimate:
    """Mean and spread (2.5 to 97.5 %) over the repeats."""
    low, high = np.quantile(values, [0.025, 0.975])
    return Estimate(value=float(values.mean()), low=float(low), high=float(high))
