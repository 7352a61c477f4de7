"""Agents that ask models on servers. This loads openai, so it is imported only where such an agent is chosen."""

from dataclasses import dataclass
from typing import Self

from doubleread.agents.vlm.agent import VlmAgent, VlmContext
from doubleread.agents.vlm.messages import DataUrls
from doubleread.agents.vlm.reasoner import Reasoner
from doubleread.agents.wire.answers import AnswerCache
from doubleread.agents.wire.budget import Budget
from doubleread.agents.wire.prices import PriceTable
from doubleread.agents.wire.wire import Wire
from doubleread.core.errors import UnknownPart
from doubleread.core.ports import ImageSource
from doubleread.core.task import Task
from doubleread.prompts.library import Library
from doubleread.settings import Settings


@dataclass(frozen=True)
class Models:
    """The way to models that all agents of a panel share: one wire, one set of pictures, one library of prompts."""

    settings: Settings
    wire: Wire
    pictures: DataUrls
    prompts: Library

    @classmethod
    def open(cls, settings: Settings, images: ImageSource, prompts: Library) -> Self:
        """With the answer cache in the cache folder, and the budget of the settings."""
        return cls(settings, open_wire(settings), DataUrls(images), prompts)

    def context(self, task: Task) -> VlmContext:
        """What an agent is given for a task."""
        return VlmContext(task, self.pictures, self.wire, self.prompts)

    def reader(self, name: str, task: Task) -> VlmAgent:
        """The agent of a [vlm.NAME] table; raises ``UnknownPart`` where there is none."""
        if name not in self.settings.vlm:
            raise UnknownPart("vision-language agent", name, self.settings.vlm)
        return VlmAgent(name, self.settings.vlm[name], self.context(task))

    def referee(self, name: str, task: Task) -> Reasoner:
        """The referee of a [reasoner.NAME] table."""
        return Reasoner(name, self.settings.reasoner[name], self.context(task))

    def close(self) -> None:
        """Ends every connection."""
        self.wire.close()


def open_wire(settings: Settings) -> Wire:
    """A wire with the answer cache in the cache folder, and the budget of the settings."""
    answers = AnswerCache(settings.cache_folder / "answers.sqlite")
    budget = Budget(settings.budget.max_cost_usd, settings.budget.max_calls)
    return Wire(answers, budget, PriceTable(settings.prices))
