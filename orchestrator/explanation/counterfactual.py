"""The verdict under other costs or another prevalence, by the same decision rule."""

from collections.abc import Mapping

import numpy as np

from doubleread.core.base import Record
from doubleread.core.errors import TaskError
from doubleread.core.task import Costs, Task, with_costs
from doubleread.core.types import Json, Vector
from doubleread.core.verdict import Decision, Verdict
from doubleread.core.verdict_wording import UNLIKE
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.policy import decide
from doubleread.orchestrator.prevalence.prior_shift import prevalence_with, prior_in_force, shifted

SAME = 1e-9
"""Probabilities that differ by less are the same."""


class WhatIf(Record):
    """Posterior and decision under other costs or prevalence.

    There is no prediction set: its guarantee holds only at the prevalence of the calibration cases.
    """

    posterior: dict[str, float]
    """Empty if the verdict has none: no opinion, or an out-of-distribution image."""
    decision: Decision
    prevalence: dict[str, float]
    """Prevalence that the posterior assumes."""
    costs: Costs
    changes: bool
    """Whether leading label, action or committed label differ from those under present costs and prevalence."""
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str | None:
        """The most probable label, whether committed or not."""
        return max(self.posterior, key=lambda name: self.posterior[name]) if self.posterior else None


def what_if(
    verdict: Verdict,
    arbiter: Arbiter,
    costs: Costs | None = None,
    prevalence: Mapping[str, float] | None = None,
) -> WhatIf:
    """``verdict`` under other ``costs`` or ``prevalence``; None keeps the present ones. Asks no agent again.

    ``prevalence`` may name some labels only; the others keep their proportions. Raises ``TaskError`` for unknown
    labels, invalid shares, or a verdict on another task.
    """
    task = with_costs(arbiter.task, arbiter.task.costs if costs is None else costs)
    prior = prior_in_force(arbiter)
    assumed = prevalence_with(task, prior, prevalence or {})
    shares = dict(zip(task.names, assumed.tolist(), strict=True))
    if not verdict.posterior:
        return WhatIf(
            posterior={},
            decision=verdict.decision.model_copy(update={"expected_cost": task.costs.referral}),
            prevalence=shares,
            costs=task.costs,
            changes=False,
            warnings=(f"{UNLIKE}, whatever the costs and the prevalence",) if verdict.unfamiliar else (),
        )
    now = posterior_of(verdict, arbiter.task)
    then = shifted(now, prior, assumed)
    before, after = decide(arbiter.task, now), decide(task, then)
    return WhatIf(
        posterior=dict(zip(task.names, then.tolist(), strict=True)),
        decision=after,
        prevalence=shares,
        costs=task.costs,
        changes=(now.argmax(), before.action, before.label) != (then.argmax(), after.action, after.label),
        warnings=tuple(filter(None, [other_reason(verdict, arbiter.task)])),
    )


def redecided(verdict: Verdict, found: WhatIf) -> Verdict:
    """``verdict`` with the posterior and the decision of ``found``, which was computed from it.

    A referral that has another reason than expected cost stays. With another prevalence there is no prediction set, and
    no track record: both hold for that of the calibration cases.
    """
    if not found.posterior or found.warnings:
        return verdict
    changed: Json = {"decision": found.decision}
    if any(abs(found.posterior[label] - p) > SAME for label, p in verdict.posterior.items()):
        unknown: Json = {"prediction_set": (), "p_values": {}, "coverage": None, "track": None}
        changed |= {"posterior": found.posterior, **unknown}
    return verdict.model_copy(update=changed)


def other_reason(verdict: Verdict, task: Task) -> str:
    """Note on a verdict that was not decided by expected cost; empty for others and without opinions."""
    if not verdict.posterior:
        return ""
    by_cost = decide(task, posterior_of(verdict, task))
    if (by_cost.action, by_cost.label) == (verdict.decision.action, verdict.decision.label):
        return ""
    act = f"commit to {by_cost.label}" if by_cost.action == "commit" else "refer"
    return f"by expected cost alone, the panel would {act}; the decision has another reason, which costs do not change"


def posterior_of(verdict: Verdict, task: Task) -> Vector:
    """The verdict's posterior in label order, shape ``(n_labels,)``; raises ``TaskError`` for another task."""
    if set(verdict.posterior) != set(task.names):
        raise TaskError(
            f"the verdict has the labels {sorted(verdict.posterior)}, task {task.id!r} has {list(task.names)}"
        )
    return np.array([verdict.posterior[name] for name in task.names])
