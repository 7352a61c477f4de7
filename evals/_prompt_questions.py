"""Puts several prompts of one agent to the same images."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from doubleread.core.case import Case
from doubleread.core.errors import ImageError, PanelError
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import PERMANENT, Abstention, Answer
from doubleread.core.progress import Progress
from doubleread.orchestrator.course.course import contested
from doubleread.orchestrator.course.seats import Seats, ask
from doubleread.panel import Panel

if TYPE_CHECKING:
    from doubleread.agents.vlm.agent import VlmAgent

AT_ONCE = 16
"""Images read at the same time."""


@dataclass(frozen=True)
class PromptQuestions:
    """One agent, with a copy of it for each prompt, in round ``turn``.

    ``known`` holds the first answers of all agents to calibration cases: they tell which labels a second look compares.
    """

    panel: Panel
    agent: str
    readers: "Sequence[VlmAgent]"
    turn: int
    known: Mapping[str, Sequence[Answer]]

    async def put(self, cases: Sequence[Case], progress: Progress) -> list[list[Answer]]:
        """Returns the answers to each case, in the order of the prompts; an unreadable image is an abstention.

        Raises ``PanelError`` as soon as the agent fails for good. Answers that were given stay in the cache.
        """
        found: list[list[Answer]] = []
        for start in range(0, len(cases), AT_ONCE):
            found += await asyncio.gather(*(self._one(case) for case in cases[start : start + AT_ONCE]))
            self._check(found[start:])
            progress("asking with each prompt", len(found), len(cases))
        return found

    async def cost_usd(self, case: Case) -> float | None:
        """The highest expected cost of one image with all prompts; None if the model has no known price.

        Raises ``PromptError`` if a prompt cannot be rendered, ``ImageError`` for an unreadable image.
        """
        from doubleread.agents.wire.prices import PriceTable, estimate_of  # noqa: PLC0415 - only models have prices

        options, evidence = self.readers[0].options, None
        price = PriceTable(self.panel.settings.prices).of(options)
        if self.turn > 1:
            seats = await self.panel.seats(case)
            evidence = await seats.contrast(self.panel.task.names[:2], case, await seats.retriever.find(case))
        requests = [await reader.one_request(case, evidence) for reader in self.readers]
        if price is None:
            return None
        return sum(estimate_of(price, one) for one in requests) * self.readers[0].calls_a_look

    async def _one(self, case: Case) -> list[Answer]:
        try:
            seats = await self.panel.seats(case)
        except ImageError as error:
            return [Abstention(agent=self.agent, cause="image", detail=str(error)) for _ in self.readers]
        evidence = await self._evidence(seats, case) if self.turn > 1 else None
        return list(await asyncio.gather(*(self._ask(reader, case, evidence) for reader in self.readers)))

    async def _ask(self, reader: "VlmAgent", case: Case, evidence: Evidence | None) -> Answer:
        limit = self.panel.settings.panel.agent_timeout_s
        return await ask(self.agent, reader, case, evidence, task=self.panel.task, round_=self.turn, timeout_s=limit)

    async def _evidence(self, seats: Seats, case: Case) -> Evidence:
        """What a second look at the case shows: never the case itself, near copies of it, or its group."""
        first = self.known.get(case.id) or await self._first_answers(seats, case)
        evidence = await seats.retriever.find(case)
        return await seats.contrast(contested(self.panel.task, first, evidence), case, evidence)

    async def _first_answers(self, seats: Seats, case: Case) -> Sequence[Answer]:
        """Of the agents that cost nothing, and of this one."""
        paid = self.panel.settings.vlm
        names = [name for name in seats.agents if name not in paid or name == self.agent]
        task = self.panel.task
        return await asyncio.gather(*(seats.read(name, case, None, task=task, round_=1) for name in names))

    def _check(self, rows: Sequence[Sequence[Answer]]) -> None:
        said = [answer for row in rows for answer in row]
        failed = [one for one in said if isinstance(one, Abstention)]
        final = next((one for one in failed if one.cause in PERMANENT), None)
        if final is None and len(failed) == len(said) and all(one.cause == "network" for one in failed):
            final = failed[0]
        if final is not None:
            raise PanelError(
                f"agent {self.agent} cannot answer ({final.cause}): {final.detail}. Answers that were given are kept: "
                "after a correction, the same command asks only for the others"
            )
