"""When to look again, and when to commit: pure functions of numbers, so that they can be replayed."""

from collections.abc import Mapping

import numpy as np

from doubleread.core.base import Record
from doubleread.core.evidence import Evidence
from doubleread.core.task import Task
from doubleread.core.types import Vector
from doubleread.core.verdict import Decision


class Policy(Record):
    """The gates of the second look; see ``second_look_reasons``."""

    max_rounds: int = 2
    margin: float = 0.8
    dissent: float = 0.34
    evidence_margin: float = 0.5
    familiar_similarity: float | None = None
    """Nearest similarity below which a case is unlike any stored one; learned from calibration cases."""


def second_look_reasons(
    task: Task,
    posterior: Vector,
    votes: Mapping[str, str],
    weights: Mapping[str, float],
    evidence: Evidence | None,
    policy: Policy,
) -> tuple[str, ...]:
    """Why the panel should look again; empty where it need not.

    ``posterior`` has shape ``(n_labels,)``; ``votes`` gives each agent's leading label after calibration and
    ``weights`` its share in the posterior.
    """
    order = np.argsort(-posterior, kind="stable")
    top, lead = task.names[order[0]], float(posterior[order[0]] - posterior[order[1]])
    reasons = []
    dissenters = [name for name, label in votes.items() if label != top and weights.get(name, 0) > 0]
    if (share := sum(weights[name] for name in dissenters)) >= policy.dissent:
        said = ", ".join(f"{name} says {votes[name]}" for name in sorted(dissenters))
        reasons.append(f"disagreement: {said} ({share:.0%} of the weight)")
    if lead < policy.margin:
        reasons.append(f"low margin: {top} leads {task.names[order[1]]} by {lead:.2f}")
    return (*reasons, *_suspicious_evidence(top, evidence, policy))


def _suspicious_evidence(top: str, evidence: Evidence | None, policy: Policy) -> tuple[str, ...]:
    if evidence is None or evidence.quality is None or evidence.label is None:
        return ()
    reasons = []
    if evidence.label != top and evidence.quality.margin >= policy.evidence_margin:
        reasons.append(f"evidence against: the similar cases say {evidence.label}, the panel {top}")
    floor = policy.familiar_similarity
    if floor is not None and evidence.quality.similarity < floor:
        reasons.append(
            f"unfamiliar: the nearest stored case has similarity {evidence.quality.similarity:.2f}, "
            f"below the {floor:.2f} that 99 % of calibration cases reach"
        )
    return tuple(reasons)


def decide(task: Task, posterior: Vector) -> Decision:
    """Commit to the label of least expected cost, or refer where that costs more than a referral.

    ``posterior`` has shape ``(n_labels,)`` and is taken at its word: it must be calibrated.
    """
    costs = posterior @ task.cost_matrix()
    best = int(costs.argmin())
    label, cost = task.names[best], float(costs[best])
    if cost <= task.costs.referral:
        reason = f"{label} at {posterior[best]:.1%}: expected cost {cost:.3f}, a referral costs {task.costs.referral:g}"
        return Decision(action="commit", label=label, reasons=(reason,), expected_cost=cost)
    reason = (
        f"{label} at {posterior[best]:.1%} does not justify committing: expected cost {cost:.3f}, "
        f"a referral costs {task.costs.referral:g}"
    )
    return Decision(action="refer", reasons=(reason,), expected_cost=task.costs.referral)
