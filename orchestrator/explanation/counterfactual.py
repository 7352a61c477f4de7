"""The same verdict under other costs or another prevalence, by the same rule of decision."""

from collections.abc import Mapping

import numpy as np

from doubleread.core.base import Record
from doubleread.core.errors import TaskError
from doubleread.core.task import Costs, Task, with_costs
from doubleread.core.types import Vector
from doubleread.core.verdict import Decision, Verdict
from doubleread.core.verdict_wording import UNLIKE
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.policy import decide
from doubleread.orchestrator.prevalence.prior_shift import prevalence_with, prior_in_force, shifted


class WhatIf(Record):
    """What the posterior and the decision would be.

    There is no prediction set: its promise belongs to the prevalence of the calibration cases.
    """

    posterior: dict[str, float]
    """Empty where the verdict has none: nobody spoke, or no probability applies to the image."""
    decision: Decision
    prevalence: dict[str, float]
    """What the posterior holds under."""
    costs: Costs
    changes: bool
    """Whether label, action or committed label differ from what costs and prevalence as they are come to."""
    warnings: tuple[str, ...] = ()

    @property
    def label(self) -> str | None:
        """The most probable label, committed or not."""
        return max(self.posterior, key=lambda name: self.posterior[name]) if self.posterior else None


def what_if(
    verdict: Verdict,
    arbiter: Arbiter,
    costs: Costs | None = None,
    prevalence: Mapping[str, float] | None = None,
) -> WhatIf:
    """``verdict`` under other ``costs`` or ``prevalence``; None: as they are. Nobody is asked again.

    ``prevalence`` may name some labels only; the others keep their proportions. Raises ``TaskError`` for labels that
    the task does not know, shares that cannot be, or a verdict on another task.
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


def other_reason(verdict: Verdict, task: Task) -> str:
    """What to say of a verdict that something else than cost decided; empty for others and without opinions."""
    if not verdict.posterior:
        return ""
    by_cost = decide(task, posterior_of(verdict, task))
    if (by_cost.action, by_cost.label) == (verdict.decision.action, verdict.decision.label):
        return ""
    act = f"commit to {by_cost.label}" if by_cost.action == "commit" else "refer"
    return f"by expected cost alone it would {act}: the decision has another reason, which no cost takes away"


def posterior_of(verdict: Verdict, task: Task) -> Vector:
    """The verdict's posterior in label order, shape ``(n_labels,)``; raises ``TaskError`` for another task's."""
    if set(verdict.posterior) != set(task.names):
        raise TaskError(f"the verdict speaks of {sorted(verdict.posterior)}, task {task.id!r} of {list(task.names)}")
    return np.array([verdict.posterior[name] for name in task.names])
