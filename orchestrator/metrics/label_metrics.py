"""Metrics of single labels (precision, recall, F1) and their means: balanced accuracy and macro F1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from doubleread.core.trust import Estimate
from doubleread.core.types import Matrix, Vector
from doubleread.orchestrator.metrics.draws import certain, estimate, ratio, with_wilson
from doubleread.orchestrator.metrics.metric import PERCENT, Metric, MetricSample


class LabelScores(NamedTuple):
    """Scores of each label, sample first, then draws: shape ``(1 + draws, k)``; NaN if undefined."""

    precision: Matrix
    recall: Matrix
    f1: Matrix
    true: Vector
    said: Vector
    either: Vector
    """Numbers of sample cases with the label as true, named, or either, shape ``(k,)``."""

    def estimates(self, which: str) -> tuple[Estimate | None, ...]:
        """``precision``, ``recall`` or ``f1`` of each label with its interval."""
        values, behind = getattr(self, which), {"precision": self.said, "recall": self.true, "f1": self.either}[which]
        bounded = _f1 if which == "f1" else with_wilson
        return tuple(bounded(estimate(column), int(n)) for column, n in zip(values.T, behind, strict=True))


def label_scores(sample: MetricSample) -> LabelScores:
    """Precision, recall and F1 of every label."""
    one_hot, said = np.eye(sample.P.shape[1]), sample.P.argmax(axis=1)
    columns = np.hstack([one_hot[sample.y], one_hot[said], one_hot[sample.y] * one_hot[said]])
    true_n, said_n, both_n = np.split(sample.draws.sums(columns, sample.rows), 3, axis=1)
    return LabelScores(
        precision=ratio(both_n, said_n),
        recall=ratio(both_n, true_n),
        f1=ratio(2 * both_n, true_n + said_n),
        true=true_n[0],
        said=said_n[0],
        either=(true_n + said_n - both_n)[0],
    )


@dataclass(frozen=True, kw_only=True)
class _LabelMean(Metric):
    """Mean over labels; if it is 0 or 1, its interval is the mean of the labels' intervals."""

    which: str

    def drawn(self, sample: MetricSample) -> Vector:
        values = getattr(sample.once(label_scores), self.which)
        return ratio(np.nansum(values, axis=1), np.isfinite(values).sum(axis=1))

    def found(self, sample: MetricSample) -> Estimate:
        found = certain(estimate(self.drawn(sample)))
        if 0 < found.value < 1:
            return found
        there = [one for one in sample.once(label_scores).estimates(self.which) if one is not None]
        return Estimate(value=found.value, low=_mean_of(there, "low"), high=_mean_of(there, "high"))


def _mean_of(estimates: Sequence[Estimate], end: str) -> float:
    return float(np.mean([getattr(one, end) for one in estimates]))


def _f1(found: Estimate | None, either: int) -> Estimate | None:
    """If F1 is 0 or 1, computes its interval from the Wilson interval of the share of agreement.

    F1 is ``2 J / (1 + J)``, where ``J`` is the share of the ``either`` cases whose label is both named and true.
    """
    if found is None or 0 < found.value < 1:
        return found
    agreed = certain(with_wilson(found, either))
    return Estimate(value=found.value, low=2 * agreed.low / (1 + agreed.low), high=2 * agreed.high / (1 + agreed.high))


BALANCED_ACCURACY = _LabelMean(
    name="balanced_accuracy",
    title="balanced accuracy",
    about="mean of the labels' recall",
    better="higher",
    unit="share",
    display=PERCENT,
    shown=frozenset(("summary", "gates")),
    rank=2,
    which="recall",
)
MACRO_F1 = _LabelMean(
    name="macro_f1",
    title="macro F1",
    about="mean of the labels' F1",
    better="higher",
    unit="share",
    shown=frozenset(("summary", "gates")),
    rank=3,
    which="f1",
)
