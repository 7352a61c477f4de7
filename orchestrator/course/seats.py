"""Who takes part in a diagnosis."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace

from doubleread.core.case import Case
from doubleread.core.opinion import Answer
from doubleread.core.ports import Agent, Deliberates, Reconsiders, Retriever
from doubleread.orchestrator.course.arbiter import Arbiter

Witness = Callable[[Case, Answer], None]
"""Told every answer as it is given."""


def nobody(case: Case, answer: Answer) -> None:
    """The witness of runs that are not recorded."""
    del case, answer


@dataclass(frozen=True)
class Seats:
    """Who takes part in a run: the agents by name, in the order the arbiter knows them.

    ``referees`` see what the agents said, not the image. ``witness`` is told every answer. With ``at_once`` agents that
    cost money are asked with the others; with ``look_again`` a second look is taken whatever it is worth, where someone
    can take one.
    """

    agents: Mapping[str, Agent]
    retriever: Retriever
    arbiter: Arbiter
    referees: Mapping[str, Deliberates] = field(default_factory=dict)
    witness: Witness = nobody
    agent_timeout_s: float = 60.0
    warnings: tuple[str, ...] = field(default=())
    at_once: bool = False
    look_again: bool = False

    @property
    def spared(self) -> tuple[str, ...]:
        """Who is seated, costs money, and is asked only where that is worth it."""
        return () if self.at_once else self._seated(self.arbiter.spared({}))

    def unasked(self, heard: Collection[str]) -> tuple[str, ...]:
        """Who was seated and spared to the end."""
        return tuple(name for name in self.spared if name not in heard)

    def with_only(self, names: Collection[str]) -> "Seats":
        """The same seats with fewer on them; for the arbiter the others are absent."""
        return replace(
            self,
            agents={name: agent for name, agent in self.agents.items() if name in names},
            referees={name: referee for name, referee in self.referees.items() if name in names},
        )

    def can_look_again(self, name: str) -> bool:
        """Whether an agent can take a second look, and has been found worth asking for one."""
        return isinstance(self.agents.get(name), Reconsiders) and self.arbiter.looks_again(name)

    def _seated(self, names: Collection[str]) -> tuple[str, ...]:
        return tuple(name for name in names if name in self.agents or name in self.referees)
