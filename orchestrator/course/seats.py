"""The participants in a diagnosis, and how they are called.

Any failure of an agent becomes an abstention with its cause, so that the panel degrades.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from time import perf_counter

from doubleread.core.agent_ports import Agent, Deliberates, Reconsiders, TakesItsTime
from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Answer, Opinion
from doubleread.core.picture_record import PictureRecord
from doubleread.core.ports import Retriever
from doubleread.core.task import Task
from doubleread.core.trust import TrustProfile
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.course.course import Course, RefereesToConsult, Roster

GRACE_S = 5.0
REFEREE_S = 60.0
"""Time limit in seconds for a referee without a deadline of its own."""
PER_LABEL = 4
"""Stored cases retrieved for each contested label."""
Witness = Callable[[Case, Answer], None]
"""Called with every answer as it is given."""


def nobody(case: Case, answer: Answer) -> None:
    """Witness for runs that are not recorded."""
    del case, answer


@dataclass(frozen=True)
class Readers:
    """The agents by name, in the arbiter's order, and the retriever.

    ``referees`` see the agents' answers, not the image. ``witness`` is called with every answer.
    """

    agents: Mapping[str, Agent]
    retriever: Retriever
    referees: Mapping[str, Deliberates] = field(default_factory=dict, kw_only=True)
    witness: Witness = field(default=nobody, kw_only=True)
    agent_timeout_s: float = field(default=60.0, kw_only=True)

    @property
    def able(self) -> frozenset[str]:
        """Agents that can take a second look."""
        return frozenset(name for name, agent in self.agents.items() if isinstance(agent, Reconsiders))

    async def read(self, name: str, case: Case, evidence: Evidence | None, *, task: Task, round_: int) -> Answer:
        """Returns one agent's answer in a round; evidence is shown from the second round on. Raises nothing."""
        shown, limit = evidence if round_ > 1 else None, self.agent_timeout_s
        answer = await ask(name, self.agents[name], case, shown, task=task, round_=round_, timeout_s=limit)
        self.witness(case, answer)
        return answer

    async def consult(self, step: RefereesToConsult, case: Case, course: Course, task: Task) -> tuple[Answer, ...]:
        """Returns the referees' opinions on the agents' answers. Raises nothing."""
        asked = {name: self.referees[name] for name in step.referees}
        given = await consult(asked, step.said, step.records, course.evidence, task=task, round_=course.round)
        for answer in given.values():
            self.witness(case, answer)
        return tuple(given.values())

    async def contrast(self, labels: tuple[str, ...], case: Case, evidence: Evidence) -> Evidence:
        """Adds the contested labels and the nearest cases of each to the evidence."""
        found = await self.retriever.contrast(case, labels, PER_LABEL)
        return evidence.model_copy(update={"contested": labels, "contrast": found})


@dataclass(frozen=True)
class Seats(Readers):
    """Readers with an arbiter; ``at_once`` and ``look_again`` as in ``Roster``."""

    arbiter: Arbiter
    warnings: tuple[str, ...] = field(default=(), kw_only=True)
    picture: PictureRecord | None = field(default=None, kw_only=True)
    at_once: bool = field(default=False, kw_only=True)
    look_again: bool = field(default=False, kw_only=True)

    @property
    def roster(self) -> Roster:
        """The agents that can be asked, for ``next_step``."""
        agents, referees = tuple(self.agents), tuple(self.referees)
        return Roster(self.arbiter, agents, self.able, referees, self.at_once, self.look_again)

    def with_only(self, names: Collection[str]) -> "Seats":
        """Copy with these agents and referees only; the arbiter treats the others as absent."""
        return replace(
            self,
            agents={name: agent for name, agent in self.agents.items() if name in names},
            referees={name: referee for name, referee in self.referees.items() if name in names},
        )


async def ask(
    name: str, agent: Agent, case: Case, evidence: Evidence | None, *, task: Task, round_: int, timeout_s: float
) -> Answer:
    """Returns the agent's answer, or its second look if ``evidence`` is given and it can take one. Raises nothing.

    An agent with a deadline of its own gets that long, plus a grace period to report why it gave up.
    """
    limit = agent.deadline_s + GRACE_S if isinstance(agent, TakesItsTime) else timeout_s
    return await settle(name, _answer(agent, case, evidence), task=task, round_=round_, timeout_s=limit)


async def settle(name: str, answering: Awaitable[object], *, task: Task, round_: int, timeout_s: float) -> Answer:
    """Awaits an agent's answer; errors, delays and invalid answers become abstentions."""
    began = perf_counter()
    try:
        async with asyncio.timeout(timeout_s):
            answer = _usable(name, await answering, task)
    except TimeoutError:
        answer = Abstention(agent=name, cause="timeout", detail=f"no answer in {timeout_s:g} s")
    except Exception as error:  # noqa: BLE001 - one failing agent must not take the panel down
        answer = Abstention(agent=name, cause="failure", detail=f"{type(error).__name__}: {error}"[:200])
    took = {} if answer.seconds else {"seconds": perf_counter() - began}
    return answer.model_copy(update={"agent": name, "round": round_, **took})


async def consult(
    referees: Mapping[str, Deliberates],
    answers: Mapping[str, Answer],
    profiles: Mapping[str, TrustProfile],
    evidence: Evidence | None,
    *,
    task: Task,
    round_: int,
) -> dict[str, Answer]:
    """Returns each referee's opinion on the others' answers, by name. Raises nothing."""
    given = await asyncio.gather(
        *(
            settle(
                name,
                referee.deliberate(answers, profiles, evidence),
                task=task,
                round_=round_,
                timeout_s=(referee.deadline_s if isinstance(referee, TakesItsTime) else REFEREE_S) + GRACE_S,
            )
            for name, referee in referees.items()
        )
    )
    return dict(zip(referees, given, strict=True))


async def _answer(agent: Agent, case: Case, evidence: Evidence | None) -> object:
    if evidence is None or not isinstance(agent, Reconsiders):
        return await agent.read(case)
    return await agent.reconsider(case, evidence)


def _usable(name: str, answer: object, task: Task) -> Answer:
    """Returns the answer, or an abstention if it does not fit the task: agents may come from other packages."""
    if isinstance(answer, Abstention):
        return answer
    if not isinstance(answer, Opinion):
        fault = f"the answer is a {type(answer).__name__}; an Opinion or an Abstention is needed"
    elif answer.label not in task.names or (answer.probabilities and set(answer.probabilities) != set(task.names)):
        fault = f"the answer is about other labels ({answer.label}, …); the task has {', '.join(task.names)}"
    else:
        return answer
    return Abstention(agent=name, cause="invalid-answer", detail=fault[:200])
