"""From which cost or prevalence on a verdict would be another: exact crossings of straight lines, no search."""

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
"""Prevalences beyond these are not worth telling."""


class TurningPoint(Record):
    """Where one cost or one prevalence, all else as it is, turns the verdict; ``at`` None: nowhere.

    ``referral``: the cost of a referral. ``error``: the cost of committing to ``instead`` where ``label`` is true.
    ``prevalence``: the share of ``label``, the others in proportion, from 0.1 to 99.9 %.
    """

    of: Literal["referral", "error", "prevalence"]
    label: str | None = None
    instead: str | None = None
    now: float
    at: float | None = None
    action: Action | None = None
    """Beyond the crossing, as the two that follow; None where there is none."""
    commits_to: str | None = None
    leading: str | None = None
    """The likeliest label, where it is another than now."""

    @property
    def line(self) -> str:
        """The point as a sentence."""
        if self.at is None:
            return self._nowhere()
        return f"it would {self._turned()} if {self._condition(self.at)}"

    def _turned(self) -> str:
        finding = f", finding {self.leading} likeliest," if self.leading and self.leading != self.commits_to else ""
        return f"commit to {self.commits_to}{finding}" if self.action == "commit" else f"refer{finding}"

    def _condition(self, at: float) -> str:
        if self.of == "prevalence":
            than = "more" if at > self.now else "less"
            return f"{self.label} were {than} than {at:.1%} of cases (taken to be {self.now:.1%})"
        # An error that costs just as much as the commitment bears turns it by costing more, a referral by costing less.
        than = "more" if at > self.now or (at == self.now and self.of == "error") else "less"
        return f"{self._priced()} cost {than} than {at:.3g} (now {self.now:.3g})"

    def _priced(self) -> str:
        return "a referral" if self.of == "referral" else f"calling {self.label} {self.instead}"

    def _nowhere(self) -> str:
        if self.of == "referral":
            return "no cost of a referral would change it: the commitment is expected to cost nothing"
        if self.of == "error":
            return f"it would refer even if {self._priced()} cost nothing"
        span = f"from {RAREST:.1%} to {COMMONEST:.1%}"
        return f"no prevalence of {self.label} {span} would change it (taken to be {self.now:.1%})"


def turning_points(verdict: Verdict, arbiter: Arbiter) -> tuple[TurningPoint, ...]:
    """Of the referral's cost, of the error's that weighs most, and of the prevalence of the labels that matter.

    Those are the likeliest label, the one it is or would be committed to, and its main rival. Empty where nobody spoke,
    and where something else than expected cost decided. Raises ``TaskError`` for a verdict on another task.
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
    """The label that costs most by being true after all; the likeliest other where errors cost nothing."""
    at_stake = p * task.cost_matrix()[:, best]
    return max((k for k in range(len(p)) if k != best), key=lambda k: (at_stake[k], p[k]))


def _referral(task: Task, p: Vector, best: int, decision: Decision) -> TurningPoint:
    """A commitment stands while a referral costs at least as much as is expected of it."""
    now, cost = task.costs.referral, float((p @ task.cost_matrix())[best])
    if decision.action != "commit":
        return TurningPoint(of="referral", now=now, at=cost, action="commit", commits_to=task.names[best])
    if cost <= 0:
        return TurningPoint(of="referral", now=now)
    return TurningPoint(of="referral", now=now, at=cost, action="refer")


def _error(task: Task, p: Vector, best: int, rival: int, decision: Decision) -> TurningPoint:
    """The expected cost of ``best`` grows with this one error's; it turns where it meets the next best course."""
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
    """The nearest crossing on either side, or the word that there is none.

    A label's odds in the posterior move by the same factor as its prevalence's, and the other labels keep their
    proportions.
    """
    none = TurningPoint(of="prevalence", label=task.names[label], now=float(prior[label]))
    points = [
        none.model_copy(update={"at": share, **beyond})
        for at, beyond in _changes(task, p, label, decision)
        if RAREST <= (share := _of_odds(_odds(at) / _odds(float(p[label])) * _odds(none.now))) <= COMMONEST
    ]
    yield from points or [none]


class _Change(NamedTuple):
    """The probability of a label at which the decision changes, and fields of a ``TurningPoint``: what it becomes."""

    at: float
    beyond: dict[str, str | None]


def _changes(task: Task, p: Vector, label: int, decision: Decision) -> Iterator[_Change]:
    """The next change below the label's present probability, and the next above.

    Expected costs are straight lines in that probability. The course in force, a commitment or the referral, is left
    where another's line meets its own; and the likeliest label is another where two probabilities meet.
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
    meetings.append((even, course))  # the course stays, the likeliest label is another
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
