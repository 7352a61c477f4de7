"""Calibration cases on which to learn whom to ask further, and what asking costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from doubleread.core.opinion import Answer
from doubleread.core.task import Task
from doubleread.core.types import Labels, Tensor3, Vector
from doubleread.orchestrator.learning.assumed_prior import Assumed
from doubleread.orchestrator.learning.choice import Chosen
from doubleread.orchestrator.learning.fusion_learning import Groups, Learned, learn
from doubleread.orchestrator.resampling import group_codes


@dataclass(frozen=True)
class Asked:
    """The calibration cases, what was said first, and how it is fused."""

    task: Task
    agents: tuple[str, ...]
    first: Sequence[Sequence[Answer]]
    labels: Labels
    groups: Groups
    chosen: Chosen
    assumed: Assumed
    folds: int
    seed: int
    made: dict[bytes, Learned] = field(default_factory=dict, repr=False, compare=False)
    """The fits there are, by a digest of what was fused."""

    def groups_of(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The groups of some cases as integers."""
        return group_codes(self.groups, len(self.labels))[rows]

    def learn(self, raw: Tensor3, alternatives: Mapping[str, Tensor3] | None = None) -> Learned:
        """A fit on other answers to the same cases, by what was chosen; the same answers are fitted once.

        Opinions ``raw`` have shape ``(n, agents, k)``, or ``(n, 2 · agents, k)`` for the answers of both rounds.
        """
        key = _digest({"": raw, **(alternatives or {})})
        if key not in self.made:
            self.made[key] = self._learn(raw, alternatives)
        return self.made[key]

    def _learn(self, raw: Tensor3, alternatives: Mapping[str, Tensor3] | None) -> Learned:
        prior = self.task.prior_vector() if self.task.prior else None
        rounds = raw.shape[1] // len(self.agents)
        return learn(
            raw,
            self.labels,
            self.groups,
            prior,
            rule=self.chosen.rule,
            calibrator=self.chosen.calibrators * rounds,
            assumed=self.assumed * rounds,
            folds=self.folds,
            seed=self.seed,
            alternatives=alternatives,
        )


def _digest(opinions: Mapping[str, Tensor3]) -> bytes:
    found = sha256()
    for name, values in opinions.items():
        found.update(f"{name} {values.shape}".encode())
        found.update(np.ascontiguousarray(values).tobytes())
    return found.digest()


def mean_usd(answers: Sequence[Sequence[Answer]]) -> Vector:
    """What an answer of each agent costs on average, shape ``(agents,)``; NaN where a price is unknown."""
    costs = [[np.nan if a.usage.cost_usd is None else a.usage.cost_usd for a in row] for row in answers]
    return np.asarray(np.mean(np.array(costs, dtype=float), axis=0))


def mean_seconds(answers: Sequence[Sequence[Answer]]) -> Vector:
    """How long an answer of each agent takes on average, shape ``(agents,)``."""
    return np.asarray(np.mean([[a.seconds for a in row] for row in answers], axis=0))
