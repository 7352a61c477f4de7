"""How cheap a commitment must be expected to be: as expected costs alone say, or stricter where groups differ.

A posterior that is calibrated on average may still be too sure on a new group. So commitments are judged on held-out
cases, whole groups taken as the units: they must clearly cost less than referring the same cases would have.
"""

import numpy as np

from doubleread.core.base import Record
from doubleread.core.task import Task
from doubleread.core.types import Labels, Matrix
from doubleread.orchestrator.gates.gate import best_of, realised_costs
from doubleread.orchestrator.learning.fusion_learning import Groups
from doubleread.orchestrator.metrics import clustered

STEPS = (1.0, 0.75, 0.5, 0.25, 0.1, 0.05)
"""Limits that are tried, in shares of the referral's cost, the least strict first."""


class Commitment(Record):
    """Commit where the expected cost is at most ``limit``, in units of one ordinary error."""

    limit: float
    note: str = ""

    @classmethod
    def fit(cls, task: Task, held_out: Matrix, labels: Labels, groups: Groups) -> "Commitment":
        """The first of ``STEPS`` at which committing clearly saved cost on held-out cases, posteriors ``(n, k)``.

        Clearly: the mean saving against a referral exceeds one standard error clustered by group. Where it never does,
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
