"""Asking one agent: whatever goes wrong becomes an abstention with its cause, so that the panel degrades."""

import asyncio
from collections.abc import Awaitable, Mapping
from time import perf_counter

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Answer, Opinion
from doubleread.core.ports import Agent, Deliberates, Reconsiders, TakesItsTime
from doubleread.core.task import Task
from doubleread.core.trust import TrustProfile

GRACE_S = 5.0
REFEREE_S = 60.0
"""Time for a referee that does not bound its own."""


async def ask(
    name: str, agent: Agent, case: Case, evidence: Evidence | None, *, task: Task, round_: int, timeout_s: float
) -> Answer:
    """The agent's answer to a case; with ``evidence`` its second look, where it can take one. Raises nothing.

    An agent that bounds its own time is waited for that long, and a little longer to hear why it gave up.
    """
    limit = agent.deadline_s + GRACE_S if isinstance(agent, TakesItsTime) else timeout_s
    return await settle(name, _answer(agent, case, evidence), task=task, round_=round_, timeout_s=limit)


async def settle(name: str, answering: Awaitable[object], *, task: Task, round_: int, timeout_s: float) -> Answer:
    """What an agent's answer comes to; an abstention where it fails, is late, or speaks of something else."""
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
    """What each referee makes of the others' answers, by name. Raises nothing."""
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
    """The answer, or an abstention where it is none to this task: agents come from other packages too."""
    if isinstance(answer, Abstention):
        return answer
    if not isinstance(answer, Opinion):
        fault = f"the answer is a {type(answer).__name__}; an Opinion or an Abstention is needed"
    elif answer.label not in task.names or (answer.probabilities and set(answer.probabilities) != set(task.names)):
        fault = f"the answer is about other labels ({answer.label}, …); the task has {', '.join(task.names)}"
    else:
        return answer
    return Abstention(agent=name, cause="invalid-answer", detail=fault[:200])
