"""How well confidence puts right before wrong: risk and coverage, correlation, telling failures.

Equally sure cases share their mean error: the order of the cases does not matter.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from doubleread.core.types import Matrix, Vector
from doubleread.orchestrator.metrics.draws import ratio
from doubleread.orchestrator.metrics.metric import Flags, Sample, SampleMetric, mean


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """Error rate ``risk[i]`` among the ``coverage[i]`` share of cases with the highest confidence; shapes ``(n,)``."""

    coverage: Vector
    risk: Vector


def confidence_correctness_correlation(confidence: Vector, correct: Flags) -> float | None:
    """CCC: Pearson correlation of confidence and correctness (arXiv 2507.10571, section 3).

    None where it is undefined: fewer than two cases, all right, all wrong or all equally confident.
    """
    if len(confidence) < 2 or np.ptp(confidence) < 1e-12 or correct.all() or not correct.any():
        return None
    return float(np.corrcoef(confidence, correct)[0, 1])


def risk_coverage(confidence: Vector, correct: Flags) -> RiskCoverage:
    """Selective risk from the surest case to the least sure; equally sure cases share their mean error.

    Source: Geifman and El-Yaniv 2017; the averaging makes the curve independent of the order of the cases.
    """
    levels, level = np.unique(-np.round(confidence, 9), return_inverse=True)
    errors = np.bincount(level, ~correct, len(levels)) / np.bincount(level, minlength=len(levels))
    sorted_errors = errors[np.sort(level)]
    rank = np.arange(1, len(confidence) + 1)
    return RiskCoverage(coverage=rank / max(len(confidence), 1), risk=np.cumsum(sorted_errors) / rank)


def aurc(confidence: Vector, correct: Flags) -> float:
    """Area under the risk-coverage curve: mean selective risk over all coverages; lower is better."""
    return mean(risk_coverage(confidence, correct).risk)


def accuracy_at_coverage(confidence: Vector, correct: Flags, coverage: float) -> float:
    """Accuracy among the surest ``coverage`` share of cases, 0 < coverage <= 1, rounded up to a whole case."""
    if not len(confidence):
        return float("nan")
    kept = max(1, int(np.ceil(coverage * len(confidence) - 1e-9)))
    return 1.0 - float(risk_coverage(confidence, correct).risk[kept - 1])


class RankingScores(NamedTuple):
    """Sample first, then draws, shape ``(1 + draws,)`` each."""

    aurc: Vector
    e_aurc: Vector
    failure_auroc: Vector
    """NaN where all are right or all are wrong."""


def ranking_scores(sample: Sample) -> RankingScores:
    """All at once, since they share the order of the cases."""
    _, level = np.unique(-np.round(sample.confidence, 9), return_inverse=True)
    order = np.argsort(level, kind="stable")
    starts = np.flatnonzero(np.diff(level[order], prepend=-1))
    wrong = ~sample.correct[order]
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, 1 + int(sample.n.max())))])
    parts = [
        _ranked(np.add.reduceat(times, starts, axis=1), np.add.reduceat(times * wrong, starts, axis=1), harmonic)
        for times in sample.draws.times(np.flatnonzero(sample.rows)[order])
    ]
    return RankingScores(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _ranked(sizes: Matrix, wrong: Matrix, harmonic: Vector) -> tuple[Vector, Vector, Vector]:
    """Of levels from the surest on: cases and errors in each, shape ``(some, levels)``; figures of shape ``(some,)``.

    Within a level of ``m`` cases with error rate ``e``, after ``R`` cases with ``E`` errors, the risks are
    ``(E + e j) / (R + j)``; they sum to ``e m + (E - e R) (H(R + m) - H(R))`` with the harmonic numbers ``H``.
    """
    after, errors = np.cumsum(sizes, axis=1), np.cumsum(wrong, axis=1)
    rate = np.nan_to_num(ratio(wrong, sizes))
    gained = harmonic[after.astype(np.int64)] - harmonic[(after - sizes).astype(np.int64)]
    risks = (wrong + (errors - wrong - rate * (after - sizes)) * gained).sum(axis=1)
    n, bad = after[:, -1], errors[:, -1]
    best = bad - (n - bad) * (harmonic[n.astype(np.int64)] - harmonic[(n - bad).astype(np.int64)])
    right = sizes - wrong
    surer = (after - errors) - right / 2  # right answers that are surer than the wrong ones of a level; ties by half
    pairs = bad * (n - bad)
    aurc = ratio(risks, n)
    return aurc, aurc - ratio(best, n), ratio((wrong * surer).sum(axis=1), pairs)


def _correlation(sample: Sample) -> Vector:
    """Pearson's correlation from sums; where the whole sample has none there is none."""
    confidence, correct = sample.confidence, sample.correct
    if confidence_correctness_correlation(confidence, correct) is None:
        return np.full(len(sample.n), np.nan)
    x, right = confidence - confidence.mean(), correct - correct.mean()  # centred: no digits are lost
    columns = np.stack([np.ones(len(x)), x, right, x * x, right * right, x * right], axis=1)
    n, sx, sr, sxx, srr, sxr = sample.draws.sums(columns, sample.rows).T
    spread = (n * sxx - sx**2).clip(0) * (n * srr - sr**2).clip(0)
    return ratio(n * sxr - sx * sr, np.sqrt(np.where(spread > 1e-12, spread, 0)))


CCC = SampleMetric(
    name="ccc",
    title="CCC",
    about="correlation of confidence and correctness",
    better="higher",
    unit="correlation",
    shown=frozenset(),
    of=_correlation,
)
AURC = SampleMetric(
    name="aurc",
    title="AURC",
    about="area under risk and coverage",
    better="lower",
    unit="share",
    shown=frozenset(("gates",)),
    of=lambda sample: sample.once(ranking_scores).aurc,
)
E_AURC = SampleMetric(
    name="e_aurc",
    title="excess AURC",
    about="what a perfect order of the same answers would not have of it",
    better="lower",
    unit="share",
    shown=frozenset(),
    of=lambda sample: sample.once(ranking_scores).e_aurc,
)
FAILURE_AUROC = SampleMetric(
    name="failure_auroc",
    title="failure AUROC",
    about="how well right is told from wrong",
    better="higher",
    unit="share",
    shown=frozenset(("gates",)),
    of=lambda sample: sample.once(ranking_scores).failure_auroc,
)
