"""Gates: when asking further is worth its price, learned from cases on which both outcomes are known."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from doubleread.core.base import Record
from doubleread.core.task import Task
from doubleread.core.types import Labels, Matrix, Vector
from doubleread.orchestrator.metrics import clustered
from doubleread.orchestrator.resampling import Groups

EXPECTED_SAVING = 0.3
"""Prior mean of the share of the cost at stake that asking saves."""
EXPECTED_WORTH = 0.5
"""Weight of this prior, as cost at stake in units of ordinary errors."""

NEVER = float(np.finfo(float).max)
"""A doubt that no case exceeds, since JSON has no infinity."""


class Gate(Record):
    """Asks ``agents`` if the expected saving in decision cost exceeds ``price``, on the most doubtful cases only.

    The saving is ``saves`` times the cost at stake: the expected cost of the best decision now. ``doubt`` is the
    budget: the expected cost of committing that only a given share of the calibration cases exceeds. All costs are in
    units of one ordinary error.
    """

    agents: tuple[str, ...]
    saves: float
    price: float
    doubt: float
    referral: float
    n: int

    @classmethod
    def fit(
        cls,
        task: Task,
        agents: Sequence[str],
        before: Matrix,
        after: Matrix,
        labels: Labels,
        *,
        price: float,
        max_share: float,
    ) -> Self:
        """Fits on held-out posteriors ``before`` and ``after`` asking, both ``(n, k)``."""
        return cls(
            agents=tuple(agents),
            saves=saving(task, before, after, labels),
            price=price,
            doubt=doubt_of_share(doubts(task, before), max_share),
            referral=task.costs.referral,
            n=len(labels),
        )

    def worth(self, doubt: Vector) -> Vector:
        """Expected saving in decision cost at these doubts, shape ``(n,)``."""
        return np.asarray(self.saves * np.minimum(doubt, self.referral))

    def opens(self, doubt: Vector) -> NDArray[np.bool_]:
        """Whether to ask at these doubts, shape ``(n,)``."""
        return np.asarray((doubt > self.doubt) & (self.worth(doubt) > self.price))

    def open_on(self, posterior: Matrix, task: Task) -> NDArray[np.bool_]:
        """Whether to ask, by posteriors ``(n, k)``; False where a posterior is NaN."""
        return self.opens(doubts(task, posterior))


class Best(NamedTuple):
    """The label that is cheapest to commit to, its expected cost, and whether committing pays, shapes ``(n,)``.

    Committing pays if it costs no more than a referral.
    """

    label: Labels
    cost: Vector
    pays: NDArray[np.bool_]


def best_of(task: Task, posterior: Matrix) -> Best:
    """Best commitments by posteriors ``(n, k)``; none pays where a posterior is NaN."""
    expected = posterior @ task.cost_matrix()
    cost = expected.min(axis=1)
    return Best(expected.argmin(axis=1), cost, cost <= task.costs.referral)


def doubts(task: Task, posterior: Matrix) -> Vector:
    """Expected cost of committing to the best label, shape ``(n,)``, not limited by the referral's."""
    return best_of(task, posterior).cost


def decision_costs(task: Task, posterior: Matrix, labels: Labels) -> Vector:
    """Realised cost of deciding by each posterior, given the true labels, shape ``(n,)``."""
    best = best_of(task, posterior)
    return realised_costs(task, best.label, best.pays, labels)


def realised_costs(task: Task, said: Labels, committed: NDArray[np.bool_], labels: Labels) -> Vector:
    """Realised cost of committing to ``said``, or else referring, given the true labels; all ``(n,)``."""
    return np.asarray(np.where(committed, task.cost_matrix()[labels, said], task.costs.referral))


def saving(task: Task, before: Matrix, after: Matrix, labels: Labels) -> float:
    """Share of the cost at stake that ``after`` saves against ``before``, shrunk towards ``EXPECTED_SAVING``.

    A ratio of sums: the fewer doubtful cases, the more the prior counts. At least 0.
    """
    stake = np.minimum(doubts(task, before), task.costs.referral).sum()
    saved = (decision_costs(task, before, labels) - decision_costs(task, after, labels)).sum()
    return max(0.0, float((saved + EXPECTED_SAVING * EXPECTED_WORTH) / (stake + EXPECTED_WORTH)))


def doubt_of_share(doubt: Vector, share: float) -> float:
    """Doubt that at most ``share`` of new cases exceed on average; below 0 for all, ``NEVER`` for none.

    With n exchangeable cases a new one exceeds the ``j``-th largest with probability at most ``j / (n + 1)``.
    """
    if share >= 1:
        return -1.0
    allowed = int(np.floor(share * (len(doubt) + 1)))
    return float(np.sort(doubt)[::-1][allowed - 1]) if allowed > 0 else NEVER


STEPS = (1.0, 0.75, 0.5, 0.25, 0.1, 0.05)
"""Candidate limits as shares of the referral's cost, least strict first."""


class Commitment(Record):
    """Commit if the expected cost is at most ``limit``, in units of one ordinary error."""

    limit: float
    note: str = ""

    @property
    def possible(self) -> bool:
        """Whether anything is committed at all."""
        return self.limit >= 0

    @classmethod
    def fit(cls, task: Task, held_out: Matrix, labels: Labels, groups: Groups) -> "Commitment":
        """Takes the first of ``STEPS`` at which committing clearly saved cost on held-out posteriors ``(n, k)``.

        Clearly: the mean saving against a referral exceeds one standard error clustered by group. If no step does,
        nothing is committed.
        """
        referral, best = task.costs.referral, best_of(task, held_out)
        if referral <= 0:
            return cls(limit=referral)
        for step in STEPS:
            limit = step * referral
            committed = best.pays & (best.cost <= limit)
            cost = realised_costs(task, best.label, committed, labels)
            saved = clustered(np.where(committed, referral - cost, 0.0), groups)
            if saved.clear:
                stricter = step < 1
                note = (
                    f"commitments are limited to an expected cost of {limit:g}, below the referral's {referral:g}: "
                    "beyond it they did not clearly pay on held-out cases"
                )
                return cls(limit=limit, note=note if stricter else "")
        return cls(
            limit=-1.0,
            note="nothing is committed: on held-out cases committing did not clearly cost less than referring",
        )
