"""Agents that ask models on servers. It loads openai, so import it only if such an agent is chosen."""

from dataclasses import dataclass
from pathlib import Path
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
    """Shared by all agents of a panel that ask models: one wire, one image source, one library of prompts."""

    settings: Settings
    wire: Wire
    pictures: DataUrls
    prompts: Library

    @classmethod
    def open(cls, settings: Settings, images: ImageSource, prompts: Library) -> Self:
        """Opens a wire with the answer cache in the cache folder and the budget of the settings."""
        return cls(settings, open_wire(settings), DataUrls(images), prompts)

    def context(self, task: Task) -> VlmContext:
        """Returns the shared objects of an agent for a task."""
        return VlmContext(task, self.pictures, self.wire, self.prompts)

    def reader(self, name: str, task: Task) -> VlmAgent:
        """Returns the agent of a [vlm.NAME] table; raises ``UnknownPart`` if there is none."""
        if name not in self.settings.vlm:
            raise UnknownPart("vision-language agent", name, self.settings.vlm)
        return VlmAgent(name, self.settings.vlm[name], self.context(task))

    def referee(self, name: str, task: Task) -> Reasoner:
        """Returns the referee of a [reasoner.NAME] table."""
        return Reasoner(name, self.settings.reasoner[name], self.context(task))

    def close(self) -> None:
        """Closes every connection."""
        self.wire.close()


def answer_file(settings: Settings) -> Path:
    """Returns the file of answers, and of what was learned about servers, in the cache folder."""
    return settings.cache_folder / "answers.sqlite"


def open_wire(settings: Settings) -> Wire:
    """Returns a wire with the answer cache in the cache folder and the budget of the settings."""
    answers = AnswerCache(answer_file(settings))
    budget = Budget(settings.budget.max_cost_usd, settings.budget.max_calls)
    return Wire(answers, budget, PriceTable(settings.prices))
