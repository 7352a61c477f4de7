"""How well confidence puts right before wrong, of the sample and of every draw.

Equally sure cases share their mean error, as in ``metrics.risk_coverage``: the order of the cases does not matter.
"""

from dataclasses import dataclass

import numpy as np

from doubleread.core.types import Matrix, Vector
from doubleread.evals.metrics.bootstrap import Draws, ratio
from doubleread.orchestrator.metrics import Flags


@dataclass(frozen=True, slots=True)
class Ranking:
    """Sample first, then draws, shape ``(1 + draws,)`` each."""

    aurc: Vector
    e_aurc: Vector
    failure_auroc: Vector
    """NaN where all are right or all are wrong."""


def ranking(confidence: Vector, correct: Flags, draws: Draws, rows: Flags) -> Ranking:
    """Of the ``m`` cases ``rows``: confidence and correctness have shape ``(m,)``."""
    _, level = np.unique(-np.round(confidence, 9), return_inverse=True)
    order = np.argsort(level, kind="stable")
    starts = np.flatnonzero(np.diff(level[order], prepend=-1))
    places = np.flatnonzero(rows)[order]
    wrong = ~correct[order]
    most = int(draws.total(np.ones(len(places)), rows).max())
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, 1 + most))])
    parts = [
        _ranked(np.add.reduceat(times, starts, axis=1), np.add.reduceat(times * wrong, starts, axis=1), harmonic)
        for times in draws.times(places)
    ]
    return Ranking(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def percentiles(values: Vector, shares: tuple[float, ...], draws: Draws) -> list[Vector]:
    """For each share the smallest value that so many of all cases do not exceed, shape ``(1 + draws,)`` each."""
    order = np.argsort(values, kind="stable")
    found: list[list[Vector]] = [[] for _ in shares]
    for times in draws.times(order):
        reached = np.cumsum(times, axis=1)
        for parts, share in zip(found, shares, strict=True):
            place = (reached >= share * reached[:, -1:] - 1e-9).argmax(axis=1)
            parts.append(values[order][place])
    return [np.concatenate(parts) for parts in found]


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
