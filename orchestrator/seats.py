"""Who takes part in a diagnosis."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from doubleread.core.case import Case
from doubleread.core.opinion import Answer
from doubleread.core.ports import Agent, Deliberates, Reconsiders, Retriever
from doubleread.orchestrator.arbiter import Arbiter

Witness = Callable[[Case, Answer], None]
"""Told every answer as it is given."""


def nobody(case: Case, answer: Answer) -> None:
    """The witness of runs that are not recorded."""
    del case, answer


@dataclass(frozen=True)
class Seats:
    """Who takes part in a run: the agents by name, in the order the arbiter knows them.

    ``referees`` see what the agents said, not the image. ``witness`` is told every answer.
    """

    agents: Mapping[str, Agent]
    retriever: Retriever
    arbiter: Arbiter
    referees: Mapping[str, Deliberates] = field(default_factory=dict)
    witness: Witness = nobody
    agent_timeout_s: float = 60.0
    warnings: tuple[str, ...] = field(default=())

    def can_look_again(self, name: str) -> bool:
        """Whether an agent can take a second look, and has been found worth asking for one."""
        return isinstance(self.agents.get(name), Reconsiders) and self.arbiter.looks_again(name)
