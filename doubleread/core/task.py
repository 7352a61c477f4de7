"""What is being diagnosed: labels, prior, and what errors and referrals cost."""

from collections.abc import Iterable
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from doubleread.core.base import Record
from doubleread.core.errors import TaskError
from doubleread.core.types import Matrix, Vector


class Label(Record):
    """One possible diagnosis."""

    name: str = Field(min_length=1)
    description: str = ""
    phrases: tuple[str, ...] = ()
    """Ways to say it in a prompt; the name itself (dashes as spaces) when empty."""

    @property
    def prompt_phrases(self) -> tuple[str, ...]:
        return self.phrases or (self.name.replace("-", " ").replace("_", " "),)


class Costs(Record):
    """What decisions cost, in the units of one ordinary error."""

    referral: float = Field(default=0.2, ge=0)
    """Cost of handing the case to a person."""
    error: float = Field(default=1.0, gt=0)
    """Cost of committing to a wrong label, where ``matrix`` does not say otherwise."""
    matrix: dict[str, dict[str, float]] = Field(default_factory=dict)
    """``matrix[true][committed]``; missing pairs cost ``error`` (0 where they agree)."""


class Task(Record):
    """A diagnostic question: one of ``labels`` is true of each case.

    Raises ``TaskError`` for fewer than two labels, repeated labels, a prior that does not name
    every label or does not sum to 1, or costs of unknown labels.
    """

    id: str = Field(min_length=1)
    about: str = ""
    """What the images show and what is asked, for agents that read words: ``single apple leaves; which disease?``"""
    labels: tuple[Label, ...]
    prior: dict[str, float] = Field(default_factory=dict)
    """Prevalence of each label; uniform when empty."""
    costs: Costs = Costs()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        names = self.names
        if len(names) < 2:
            raise TaskError(f"task {self.id!r} has {len(names)} label(s) {list(names)}; a diagnosis needs at least 2")
        if len(set(names)) < len(names):
            raise TaskError(f"task {self.id!r} repeats a label: {sorted(names)}")
        if self.prior and (set(self.prior) != set(names) or abs(sum(self.prior.values()) - 1) > 1e-6):
            raise TaskError(f"the prior of task {self.id!r} must give each of {list(names)} a share; they sum to 1")
        if self.prior and min(self.prior.values()) <= 0:
            raise TaskError(f"the prior of task {self.id!r} must be positive for every label")
        priced = set(self.costs.matrix).union(*self.costs.matrix.values()) if self.costs.matrix else set()
        if priced - set(names):
            raise TaskError(f"costs name unknown labels {sorted(priced - set(names))}; known: {list(names)}")
        return self

    @classmethod
    def of(cls, id: str, names: Iterable[str]) -> "Task":
        """A task from bare label names, sorted, with default costs and a uniform prior."""
        return cls(id=id, labels=tuple(Label(name=name) for name in sorted(set(names))))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    def index(self, name: str) -> int:
        """Position of a label; raises ``TaskError`` for a label the task does not know."""
        try:
            return self.names.index(name)
        except ValueError:
            raise TaskError(f"label {name!r} is not one of task {self.id!r}: {', '.join(self.names)}") from None

    def prior_vector(self) -> Vector:
        """Prior as an array of shape ``(n_labels,)``, in label order."""
        if not self.prior:
            return np.full(len(self.labels), 1 / len(self.labels))
        return np.array([self.prior[name] for name in self.names])

    def cost_matrix(self) -> Matrix:
        """Costs of shape ``(true, committed)``, in label order."""
        return np.array(
            [
                [self.costs.matrix.get(t, {}).get(c, 0.0 if t == c else self.costs.error) for c in self.names]
                for t in self.names
            ]
        )


def with_costs(task: Task, costs: Costs) -> Task:
    """The task at other costs; raises ``TaskError`` for costs of unknown labels."""
    return Task(id=task.id, about=task.about, labels=task.labels, prior=task.prior, costs=costs)
