"""Cache agent: gives the label distribution of the most similar stored cases."""

from collections.abc import Sequence
from time import perf_counter

import numpy as np

from doubleread.agents.context import AgentContext
from doubleread.core.agent_ports import WHOLE
from doubleread.core.case import Case
from doubleread.core.errors import DoublereadError
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Answer, Opinion


class Neighbours:
    """Gives the evidence's label distribution as an opinion; a second look averages it over crops of the image."""

    name = "neighbours"

    def __init__(self, context: AgentContext) -> None:
        self._context = context

    async def read(self, case: Case) -> Answer:
        return await self._answer(case, (WHOLE,), round=1)

    async def reconsider(self, case: Case, evidence: Evidence) -> Answer:
        del evidence  # the store is searched again
        return await self._answer(case, self._context.views, round=2)

    async def read_views(self, case: Case, views: Sequence[str]) -> tuple[Answer, ...]:
        try:
            rows = await self._context.retriever.distributions(case, views)
        except DoublereadError as error:
            return (Abstention(agent=self.name, cause="no-evidence", detail=str(error)),) * len(views)
        return tuple(
            Opinion.from_vector(self.name, self._context.task, row, "neighbours", prior="balanced") for row in rows
        )

    async def _answer(self, case: Case, views: tuple[str, ...], *, round: int) -> Answer:
        began = perf_counter()
        evidence = await self._context.retriever.find(case, views)
        if not evidence.distribution:
            detail = evidence.failure or "the archive has no other case"
            return Abstention(agent=self.name, cause="no-evidence", detail=detail, round=round)
        task = self._context.task
        vector = np.array([evidence.distribution[name] for name in task.names])
        opinion = Opinion.from_vector(
            self.name, task, vector, "neighbours", prior="balanced", round=round, reason=describe(evidence, len(views))
        )
        return opinion.model_copy(update={"seconds": perf_counter() - began})


def describe(evidence: Evidence, views: int) -> str:
    """Describes how many neighbours carry the most common label, and how near the nearest is."""
    labels = [neighbour.label for neighbour in evidence.neighbours]
    leading = max(labels, key=labels.count)  # ties go to the nearest
    text = f"{labels.count(leading)} of the {len(labels)} most similar labelled images are {leading}"
    nearest = f" (nearest: similarity {evidence.neighbours[0].similarity:.2f})"
    return text + nearest + (f"; averaged over {views} views" if views > 1 else "")
