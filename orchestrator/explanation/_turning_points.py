"""Costs and prevalences at which a verdict changes: exact intersections of straight lines, no search."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from doubleread.core.base import Record
from doubleread.core.task import Task
from doubleread.core.types import Vector
from doubleread.core.verdict import Action, Decision, Verdict
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.policy import decide
from doubleread.orchestrator.explanation.counterfactual import other_reason, posterior_of
from doubleread.orchestrator.prevalence.prior_shift import prior_in_force
from doubleread.orchestrator.simplex import normalised

RAREST, COMMONEST = 0.001, 0.999
"""Range of prevalences that are reported."""


class TurningPoint(Record):
    """Where one cost or prevalence, all else equal, changes the verdict; ``at`` None: nowhere.

    ``referral``: the cost of a referral. ``error``: the cost of committing to ``instead`` if ``label`` is true.
    ``prevalence``: the share of ``label``, with the others in proportion, from 0.1 to 99.9 %.
    """

    of: Literal["referral", "error", "prevalence"]
    label: str | None = None
    instead: str | None = None
    now: float
    at: float | None = None
    action: Action | None = None
    """Action beyond the crossing; like the next two fields None if there is none."""
    commits_to: str | None = None
    leading: str | None = None
    """The most probable label, if it differs from the present one."""

    @property
    def line(self) -> str:
        """The turning point as a sentence."""
        if self.at is None:
            return self._nowhere()
        return f"the panel would {self._turned()} if {self._condition(self.at)}"

    def _turned(self) -> str:
        finding = f" (most likely: {self.leading})" if self.leading and self.leading != self.commits_to else ""
        return f"commit to {self.commits_to}{finding}" if self.action == "commit" else f"refer{finding}"

    def _condition(self, at: float) -> str:
        if self.of == "prevalence":
            than = "more" if at > self.now else "less"
            return f"{self.label} were {than} than {at:.1%} of all images (now {self.now:.1%})"
        # If the costs are already equal, a higher error cost changes the verdict, or a lower referral cost.
        than = "more" if at > self.now or (at == self.now and self.of == "error") else "less"
        return f"{self._priced()} cost {than} than {at:.3g} (now {self.now:.3g})"

    def _priced(self) -> str:
        return "a referral" if self.of == "referral" else f"calling {self.label} {self.instead}"

    def _nowhere(self) -> str:
        if self.of == "referral":
            return "no cost of a referral would change the verdict: it is expected to cost nothing"
        if self.of == "error":
            return f"the panel would refer even if {self._priced()} cost nothing"
        span = f"from {RAREST:.1%} to {COMMONEST:.1%}"
        return f"no prevalence of {self.label} {span} would change the verdict (now {self.now:.1%})"


def turning_points(verdict: Verdict, arbiter: Arbiter) -> tuple[TurningPoint, ...]:
    """Turning points of the referral cost, the costliest error, and the prevalence of the relevant labels.

    Relevant are the most probable label, the one that is or would be committed to, and its main rival. Empty without
    opinions, or if expected cost did not decide. Raises ``TaskError`` for a verdict on another task.
    """
    task = arbiter.task
    if not verdict.posterior or other_reason(verdict, task):
        return ()
    p = normalised(posterior_of(verdict, task), 1e-12)
    decision, prior = decide(task, p), prior_in_force(arbiter)
    best = int((p @ task.cost_matrix()).argmin())
    rival = _rival(task, p, best)
    matter = dict.fromkeys((int(p.argmax()), best, rival))
    return (
        _referral(task, p, best, decision),
        _error(task, p, best, rival, decision),
        *(point for label in matter for point in _prevalences(task, p, prior, label, decision)),
    )


def _rival(task: Task, p: Vector, best: int) -> int:
    """The label whose truth would cost most in expectation; without error costs the most probable other label."""
    at_stake = p * task.cost_matrix()[:, best]
    return max((k for k in range(len(p)) if k != best), key=lambda k: (at_stake[k], p[k]))


def _referral(task: Task, p: Vector, best: int, decision: Decision) -> TurningPoint:
    """A commitment holds while a referral costs at least its expected cost."""
    now, cost = task.costs.referral, float((p @ task.cost_matrix())[best])
    if decision.action != "commit":
        return TurningPoint(of="referral", now=now, at=cost, action="commit", commits_to=task.names[best])
    if cost <= 0:
        return TurningPoint(of="referral", now=now)
    return TurningPoint(of="referral", now=now, at=cost, action="refer")


def _error(task: Task, p: Vector, best: int, rival: int, decision: Decision) -> TurningPoint:
    """The expected cost of ``best`` grows with the cost of this error; it turns at the next best action's cost."""
    M, names = task.cost_matrix(), task.names
    expected, now = p @ M, float(M[rival, best])
    second = min((k for k in range(len(p)) if k != best), key=lambda k: expected[k])
    limit = min(task.costs.referral, float(expected[second]))
    at = now + (limit - float(expected[best])) / float(p[rival])
    found = TurningPoint(of="error", label=names[rival], instead=names[best], now=now)
    if at < 0:
        return found
    if decision.action != "commit":
        return found.model_copy(update={"at": at, "action": "commit", "commits_to": names[best]})
    if expected[second] <= task.costs.referral:
        return found.model_copy(update={"at": at, "action": "commit", "commits_to": names[second]})
    return found.model_copy(update={"at": at, "action": "refer"})


def _prevalences(task: Task, p: Vector, prior: Vector, label: int, decision: Decision) -> Iterator[TurningPoint]:
    """Yields the nearest crossing on each side, or a point without one.

    A label's posterior odds change by the same factor as its prior odds, and the other labels keep their proportions.
    """
    none = TurningPoint(of="prevalence", label=task.names[label], now=float(prior[label]))
    points = [
        none.model_copy(update={"at": share, **beyond})
        for at, beyond in _changes(task, p, label, decision)
        if RAREST <= (share := _of_odds(_odds(at) / _odds(float(p[label])) * _odds(none.now))) <= COMMONEST
    ]
    yield from points or [none]


class _Change(NamedTuple):
    """The probability of a label at which the decision changes, and the resulting fields of ``TurningPoint``."""

    at: float
    beyond: dict[str, str | None]


def _changes(task: Task, p: Vector, label: int, decision: Decision) -> Iterator[_Change]:
    """Yields the next change below and above the label's present probability.

    Expected costs are linear in that probability. The present action, a commitment or the referral, changes where
    another's line meets its own; the most probable label changes where two probabilities are equal.
    """
    k, here, others = len(p), float(p[label]), _with(p, label, 0.0)
    start = np.append(others @ task.cost_matrix(), task.costs.referral)
    slope = np.append(task.cost_matrix()[label], task.costs.referral) - start
    course = k if decision.label is None else task.index(decision.label)
    meetings = [
        (float((start[j] - start[course]) / (slope[course] - slope[j])), j)
        for j in range(k + 1)
        if slope[j] != slope[course]
    ]
    likeliest_other = int(others.argmax())
    even = float(others.max() / (1 + others.max()))
    meetings.append((even, course))  # the action stays, the most probable label changes
    for side in (-1, 1):
        beyond = [(at, j) for at, j in meetings if 0 < at < 1 and (at - here) * side > 0]
        if beyond:
            at, j = min(beyond, key=lambda one: abs(one[0] - here))
            leading = label if at > even or (at == even and side > 0) else likeliest_other
            yield _Change(at, _beyond(task, j, leading, int(p.argmax())))


def _beyond(task: Task, course: int, leading: int, before: int) -> dict[str, str | None]:
    commits = course < len(task.names)
    return {
        "action": "commit" if commits else "refer",
        "commits_to": task.names[course] if commits else None,
        "leading": None if leading == before else task.names[leading],
    }


def _with(p: Vector, label: int, share: float) -> Vector:
    """``p`` with the label at ``share`` and the others in proportion."""
    others = np.where(np.arange(len(p)) == label, 0.0, p)
    moved = others / others.sum() * (1 - share)
    moved[label] = share
    return np.asarray(moved)


def _odds(share: float) -> float:
    return share / (1 - share)


def _of_odds(odds: float) -> float:
    return odds / (1 + odds)
