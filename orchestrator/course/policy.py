"""When to ask further and when to commit: pure functions of numbers, so that they can be replayed."""

from collections.abc import Mapping

from doubleread.core.base import Record
from doubleread.core.evidence import Evidence
from doubleread.core.task import Task
from doubleread.core.types import Vector
from doubleread.core.verdict import Decision
from doubleread.orchestrator.conformal.selective_risk import SelectiveRisk
from doubleread.orchestrator.gates.gate import Commitment, Gate, best_of, doubts

FREE_USD = 1e-4
"""Answers up to this cost in US dollars count as free."""


class Policy(Record):
    """Settings for asking further, and the gates learned with them.

    ``max_share`` is the share of cases that may get a second look, ``ask_share`` the share on which paid agents may be
    asked. ``error_usd`` is the cost of one ordinary error, ``hour_usd`` that of an hour of waiting.
    """

    max_rounds: int = 2
    max_share: float = 0.12
    ask_share: float = 1.0
    free_usd: float = FREE_USD
    """Agents whose answers cost at most this, in US dollars, are always asked."""
    error_usd: float = 1.0
    hour_usd: float = 0.0
    asking: Gate | None = None
    """Opens the first round to paid agents; None if all agents are asked at once."""
    looking: Gate | None = None
    """Opens the second look; None if it does not pay."""

    def price(self, usd: float, seconds: float) -> float:
        """Cost of money and waiting in units of one ordinary error."""
        return (usd + self.hour_usd * seconds / 3600) / self.error_usd


def reasons_to_ask(
    gate: Gate | None,
    what: str,
    task: Task,
    posterior: Vector,
    votes: Mapping[str, str],
    evidence: Evidence | None,
) -> tuple[str, ...]:
    """Reasons why ``what`` (more agents, a second look) is worth its price; empty if it is not.

    ``posterior`` has shape ``(n_labels,)``; ``votes`` holds each agent's leading label after calibration.
    """
    doubt = doubts(task, posterior[None])
    if gate is None or not gate.opens(doubt)[0]:
        return ()
    top = task.names[int(posterior.argmax())]
    price = f"{gate.price:.4f}" if gate.price else "nothing"
    worth = f"{what} saves {gate.worth(doubt)[0]:.3f} of an error in expectation and costs {price}"
    return (
        f"in doubt: {top} at {posterior.max():.1%}; {worth}",
        *disagreements(top, votes, evidence),
    )


def disagreements(top: str, votes: Mapping[str, str], evidence: Evidence | None) -> tuple[str, ...]:
    """Agents that disagree with the panel, and evidence that does."""
    said = [f"{name} says {label}" for name, label in sorted(votes.items()) if label != top]
    against = evidence is not None and evidence.label is not None and evidence.label != top
    return (
        *([f"disagreement: {', '.join(said)}"] if said else []),
        *([f"the similar cases say {evidence.label}"] if evidence and against else []),
    )


def decide(task: Task, posterior: Vector) -> Decision:
    """Commits to the label of least expected cost, or refers if that costs more than a referral.

    ``posterior`` has shape ``(n_labels,)`` and must be calibrated.
    """
    found = best_of(task, posterior[None])
    best, cost = int(found.label[0]), float(found.cost[0])
    label = task.names[best]
    if found.pays[0]:
        reason = f"{label} at {posterior[best]:.1%}: expected cost {cost:.3f}, a referral costs {task.costs.referral:g}"
        return Decision(action="commit", label=label, reasons=(reason,), expected_cost=cost)
    reason = (
        f"{label} at {posterior[best]:.1%} does not justify committing: expected cost {cost:.3f}, "
        f"a referral costs {task.costs.referral:g}"
    )
    return Decision(action="refer", reasons=(reason,), expected_cost=task.costs.referral)


def limited(task: Task, posterior: Vector, commitment: Commitment, selective: SelectiveRisk | None) -> Decision:
    """``decide``, but refers where a limit learned on held-out cases does not allow the commitment."""
    decision = decide(task, posterior)
    if decision.expected_cost is not None and decision.expected_cost > commitment.limit:
        decision = refer_instead(task, decision, commitment.note)
    if selective is not None and not selective.commits(posterior.max(keepdims=True))[0]:
        decision = refer_instead(task, decision, _not_promised(selective))
    return decision


def refer_instead(task: Task, decision: Decision, reason: str) -> Decision:
    """Replaces a commitment by a referral, with one more reason; returns other decisions unchanged."""
    if decision.action != "commit":
        return decision
    return Decision(action="refer", reasons=(reason, *decision.reasons), expected_cost=task.costs.referral)


def _not_promised(promise: SelectiveRisk) -> str:
    if promise.threshold is None:
        return f"no commitment can be promised: {promise.note}"
    return (
        f"below {promise.threshold:.1%}, from which on at most {promise.risk:.1%} of commitments are wrong "
        f"({1 - promise.delta:.0%} confidence)"
    )
