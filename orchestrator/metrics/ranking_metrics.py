"""How well confidence ranks right before wrong answers: risk–coverage, correlation, failure detection.

Equally confident cases share their mean error, so the order of the cases does not matter.
"""

from typing import NamedTuple

import numpy as np

from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.metrics import confidences, correctness
from doubleread.orchestrator.metrics.draws import ratio
from doubleread.orchestrator.metrics.metric import MetricSample, SampleMetric, SumMetric


class RankingScores(NamedTuple):
    """Scores of the sample and the draws, shape ``(1 + draws,)`` each."""

    aurc: Vector
    e_aurc: Vector
    failure_auroc: Vector
    """NaN if all are right or all are wrong."""


def ranking_scores(sample: MetricSample) -> RankingScores:
    """Computes all scores together, since they share the order of the cases."""
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
    """Scores ``(some,)`` from cases and errors per confidence level, highest first, each ``(some, levels)``.

    After ``R`` cases with ``E`` errors, a level of ``m`` cases with error rate ``e`` has the risks
    ``(E + e j) / (R + j)``; they sum to ``e m + (E - e R) (H(R + m) - H(R))`` with the harmonic numbers ``H``.
    """
    after, errors = np.cumsum(sizes, axis=1), np.cumsum(wrong, axis=1)
    rate = np.nan_to_num(ratio(wrong, sizes))
    gained = harmonic[after.astype(np.int64)] - harmonic[(after - sizes).astype(np.int64)]
    risks = (wrong + (errors - wrong - rate * (after - sizes)) * gained).sum(axis=1)
    n, bad = after[:, -1], errors[:, -1]
    best = bad - (n - bad) * (harmonic[n.astype(np.int64)] - harmonic[(n - bad).astype(np.int64)])
    right = sizes - wrong
    surer = (after - errors) - right / 2  # right answers more confident than a level's errors; ties count half
    pairs = bad * (n - bad)
    aurc = ratio(risks, n)
    return aurc, aurc - ratio(best, n), ratio((wrong * surer).sum(axis=1), pairs)


def _moments(P: Matrix, y: Labels) -> Matrix:
    confidence, correct = confidences(P), correctness(P, y)
    x, right = confidence - confidence.mean(), correct - correct.mean()  # centred for numerical precision
    return np.stack([np.ones(len(x)), x, right, x * x, right * right, x * right], axis=1)


def _correlation(moments: Matrix, n: Vector) -> Vector:
    """Pearson correlation; NaN if all are right, all wrong or all equally confident."""
    _, sx, sr, sxx, srr, sxr = np.moveaxis(moments, -1, 0)
    spread = (n * sxx - sx**2).clip(0) * (n * srr - sr**2).clip(0)
    return ratio(n * sxr - sx * sr, np.sqrt(np.where(spread > 1e-12, spread, 0)))


CCC = SumMetric(
    name="ccc",
    title="CCC",
    about="correlation between confidence and correctness",
    better="higher",
    unit="correlation",
    shown=frozenset(),
    columns=_moments,
    of=_correlation,
)
AURC = SampleMetric(
    name="aurc",
    title="AURC",
    about="area under the risk-coverage curve",
    better="lower",
    unit="share",
    shown=frozenset(("gates",)),
    of=lambda sample: sample.once(ranking_scores).aurc,
)
E_AURC = SampleMetric(
    name="e_aurc",
    title="excess AURC",
    about="AURC above that of a perfect ranking of the same answers",
    better="lower",
    unit="share",
    shown=frozenset(),
    of=lambda sample: sample.once(ranking_scores).e_aurc,
)
FAILURE_AUROC = SampleMetric(
    name="failure_auroc",
    title="failure AUROC",
    about="how well confidence separates right from wrong answers",
    better="higher",
    unit="share",
    shown=frozenset(("gates",)),
    of=lambda sample: sample.once(ranking_scores).failure_auroc,
)
