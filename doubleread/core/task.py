"""The diagnostic question: labels, prior, and costs of errors and referrals."""

from collections.abc import Iterable
from typing import Self

import numpy as np
from pydantic import Field, model_validator

from doubleread.core.base import Record
from doubleread.core.errors import TaskError
from doubleread.core.label_likeness import nearest
from doubleread.core.label_text import as_known, words_of
from doubleread.core.types import Matrix, Vector


class Label(Record):
    """One possible diagnosis.

    Examples:
        >>> doubleread.Label(name="apple-scab").prompt_phrases
        ('apple scab',)
    """

    name: str = Field(min_length=1)
    description: str = ""
    """What the label means, for models that read text."""
    phrases: tuple[str, ...] = ()
    """Ways to say it in a prompt. When empty, the name itself is used, with dashes between words as spaces."""

    @property
    def prompt_phrases(self) -> tuple[str, ...]:
        """``phrases``, or the name in words."""
        return self.phrases or (words_of(self.name),)


class Costs(Record):
    """What decisions cost, in units of one ordinary error.

    The panel commits to the label with the lowest expected cost if that is at most ``referral``, and otherwise refers
    the case. With the default costs it commits from a probability of 0.8 on.

    Examples:
        >>> costs = doubleread.Costs(referral=0.1, matrix={"defective": {"functional": 5.0}})  # a miss costs 5 errors
        >>> costs.error
        1.0
    """

    referral: float = Field(default=0.2, ge=0)
    """Cost of handing a case to a person."""
    error: float = Field(default=1.0, gt=0)
    """Cost of committing to a wrong label that ``matrix`` does not name."""
    matrix: dict[str, dict[str, float]] = Field(default_factory=dict)
    """Cost by true and committed label: ``matrix[true][committed]``. Other pairs cost ``error``, or 0 if equal."""


class Task(Record):
    """A diagnostic question: exactly one of ``labels`` is true of each case.

    Raises:
        TaskError: There are fewer than two labels, a label is repeated, ``prior`` does not give every label a positive
            share or does not sum to 1, or the costs name an unknown label.

    Examples:
        >>> task = doubleread.Task(
        ...     id="cells",
        ...     labels=(doubleread.Label(name="functional"), doubleread.Label(name="defective")),
        ...     prior={"functional": 0.95, "defective": 0.05},
        ... )
        >>> task.names
        ('functional', 'defective')
        >>> task.prior_vector()
        array([0.95, 0.05])
    """

    id: str = Field(min_length=1)
    about: str = ""
    """What the images show and what is asked, for models that read text: ``single apple leaves; which disease?``"""
    labels: tuple[Label, ...]
    """At least two. Their order is the order of every array."""
    prior: dict[str, float] = Field(default_factory=dict)
    """Prevalence of each label where the panel is used; uniform when empty."""
    costs: Costs = Costs()
    """What errors and referrals cost."""

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
        """Makes a task from label names, sorted, with default costs and a uniform prior."""
        return cls(id=id, labels=tuple(Label(name=name) for name in sorted(set(names))))

    @property
    def names(self) -> tuple[str, ...]:
        """The label names, in order."""
        return tuple(label.name for label in self.labels)

    def index(self, name: str) -> int:
        """Returns the position of a label, also in another Unicode form or with other blanks.

        Raises:
            TaskError: The task has no such label.
        """
        names = self.names
        try:
            return names.index(name)
        except ValueError:
            known = as_known(name, names)
        if known in names:
            return names.index(known)
        near = nearest(name, names)
        guess = f". Did you mean {near!r}?" if near else ""
        raise TaskError(f"label {name!r} is not one of task {self.id!r}: {', '.join(names)}{guess}")

    def named(self, label: str) -> str:
        """Returns a label as the task spells it. Raises what ``index`` raises."""
        return self.names[self.index(label)]

    def prior_vector(self) -> Vector:
        """Returns the prior as an array of shape ``(n_labels,)``, in label order."""
        if not self.prior:
            return np.full(len(self.labels), 1 / len(self.labels))
        return np.array([self.prior[name] for name in self.names])

    def cost_matrix(self) -> Matrix:
        """Returns the costs as an array of shape ``(n_labels, n_labels)``: true label by committed label."""
        return np.array(
            [
                [self.costs.matrix.get(t, {}).get(c, 0.0 if t == c else self.costs.error) for c in self.names]
                for t in self.names
            ]
        )


def with_costs(task: Task, costs: Costs) -> Task:
    """Returns the task with other costs; raises ``TaskError`` for costs of unknown labels."""
    return Task(id=task.id, about=task.about, labels=task.labels, prior=task.prior, costs=costs)


__all__ = ["Costs", "Label", "Task"]
