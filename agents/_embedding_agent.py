"""Base classes of the local agents: embed the image, apply the head, return a full distribution."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from time import perf_counter
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from doubleread.agents.context import AgentContext
from doubleread.core.agent_ports import WHOLE
from doubleread.core.case import Case
from doubleread.core.errors import ImageError, NotFitted
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, AbstentionCause, Answer, Opinion, OpinionPrior
from doubleread.core.types import Embeddings, Matrix, Vector

Head = TypeVar("Head")


class EmbeddingAgent(ABC):
    """An agent whose head works on the shared embeddings.

    A second look reads every view of the image with a head that the retrieved cases have updated, and averages the
    views' log-probabilities. It does not use the first answer. With a ``sight`` the head stays as it is: the retrieved
    cases' stored vectors come from the panel's encoder.
    """

    name: str
    prior: ClassVar[OpinionPrior] = "balanced"
    """The label prior that its opinions assume."""
    sight: str = ""
    """Name of the encoder that it uses in place of the panel's."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._task = context.task
        if context.sight and not self.sight:
            self.name, self.sight = f"{self.name}@{context.sight}", context.sight

    @abstractmethod
    def log_posteriors(self, embeddings: Embeddings) -> Matrix:
        """Log-probabilities, shape ``(n, n_labels)``, for embeddings ``(n, dim)``."""

    @abstractmethod
    def log_posteriors_with(self, embeddings: Embeddings, evidence: Evidence) -> Matrix:
        """The same, from a head that the retrieved cases have updated."""

    async def features(self, case: Case, views: Sequence[str]) -> Embeddings:
        """What ``log_posteriors`` reads, one row for each view; raises ``ImageError``."""
        return await self._context.embedder.embed(case, views)

    def cannot(self) -> tuple[AbstentionCause, str] | None:
        """Returns why this agent cannot read any case, or None."""
        return None

    async def read(self, case: Case) -> Answer:
        return await self._answer(case, (WHOLE,), None)

    async def reconsider(self, case: Case, evidence: Evidence) -> Answer:
        return await self._answer(case, self._context.views, evidence)

    async def read_views(self, case: Case, views: Sequence[str]) -> tuple[Answer, ...]:
        if obstacle := self.cannot():
            return (Abstention(agent=self.name, cause=obstacle[0], detail=obstacle[1]),) * len(views)
        try:
            logs = self.log_posteriors(await self.features(case, views))
        except ImageError as error:
            return (Abstention(agent=self.name, cause="image", detail=str(error)),) * len(views)
        return tuple(self._opinion(row[None]) for row in logs)

    async def _answer(self, case: Case, views: Sequence[str], evidence: Evidence | None) -> Answer:
        began, turn = perf_counter(), 1 if evidence is None else 2
        if obstacle := self.cannot():
            return Abstention(agent=self.name, cause=obstacle[0], detail=obstacle[1], round=turn)
        try:
            embeddings = await self.features(case, views)
        except ImageError as error:
            return Abstention(agent=self.name, cause="image", detail=str(error), round=turn)
        if evidence is not None and evidence.neighbours and not self.sight:
            logs = self.log_posteriors_with(embeddings, evidence)
        else:  # first look, or no retrieved case that can update the head
            logs = self.log_posteriors(embeddings)
        opinion = self._opinion(logs, round=turn, reason=self._reason(logs))
        return opinion.model_copy(update={"seconds": perf_counter() - began})

    def _opinion(self, logs: Matrix, **details: Any) -> Opinion:
        return Opinion.from_vector(self.name, self._task, average(logs), "softmax", prior=self.prior, **details)

    def _reason(self, logs: Matrix) -> str:
        if len(logs) == 1:
            return ""
        top = int(average(logs).argmax())
        agree = int((logs.argmax(axis=1) == top).sum())
        return f"{agree} of {len(logs)} views of the image read {self._task.names[top]}"


class FittedAgent(EmbeddingAgent, Generic[Head]):
    """An agent whose head is fitted on labelled cases."""

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self._head: Head | None = None

    def cannot(self) -> tuple[AbstentionCause, str] | None:
        return ("not-fitted", "it was fitted on no labelled case") if self._head is None else None

    def _fitted(self) -> Head:
        if self._head is None:
            raise NotFitted(f"fit the {self.name} agent on labelled cases first")
        return self._head


def average(logs: Matrix) -> Vector:
    """Normalised geometric mean of the rows' distributions, shape ``(n_labels,)``."""
    mean = np.asarray(logs, dtype=float).mean(axis=0)
    p = np.exp(mean - mean.max())
    return np.asarray(p / p.sum())


def evidence_arrays(context: AgentContext, evidence: Evidence) -> tuple[Embeddings, Vector]:
    """Embeddings ``(k, dim)`` and label indices ``(k,)`` of the retrieved cases."""
    ids = [neighbour.case_id for neighbour in evidence.neighbours]
    labels = np.array([context.task.index(n.label) for n in evidence.neighbours], dtype=float)
    return context.vectors(ids), labels
