"""What all nonconformity scores share, and the finite-sample quantile of them."""

from abc import abstractmethod
from typing import NamedTuple, Self

import numpy as np

from doubleread.core.base import Record
from doubleread.core.types import Labels, Matrix, Vector


class Chosen(NamedTuple):
    """A score with its parameters, and the held-out rows that had no part in choosing them."""

    score: "Score"
    rest: Labels


class Score(Record):
    """How badly each label fits a case: the higher, the worse. Its fields are its parameters, numbers all."""

    @classmethod
    def choose(cls, P: Matrix, y: Labels, u: Vector, coverage: float) -> Chosen:  # noqa: ARG003 - others need them
        """The score for these held-out cases; one without parameters leaves every row for the thresholds."""
        return Chosen(cls(), np.arange(len(y)))

    @abstractmethod
    def of(self, P: Matrix, u: Vector) -> Matrix:
        """Scores of every label, shape ``(n, k)``, from distributions ``(n, k)`` and one chance a case ``(n,)``."""

    def of_truth(self, P: Matrix, y: Labels, u: Vector) -> Vector:
        """Scores of the true labels ``y``, shape ``(n,)``."""
        return np.asarray(self.of(P, u)[np.arange(len(y)), y])

    def parameters(self) -> dict[str, float]:
        """What ``type(self)(**parameters)`` gives this score again."""
        return {name: float(value) for name, value in self.model_dump().items()}

    @classmethod
    def restore(cls, parameters: dict[str, float]) -> Self:
        """The score whose ``parameters()`` these are."""
        return cls.model_validate(parameters)


def cases_needed(coverage: float) -> int:
    """Fewest held-out cases that can promise ``coverage``: 9 for 90 %, 19 for 95 %."""
    return int(np.ceil(coverage / (1 - coverage) - 1e-9))


def quantile(scores: Vector, coverage: float) -> float:
    """The ceil((n + 1) * coverage)-th smallest score: the finite-sample correction. Needs ``cases_needed`` scores."""
    rank = int(np.ceil((len(scores) + 1) * coverage - 1e-9))
    return float(np.sort(scores)[rank - 1])
