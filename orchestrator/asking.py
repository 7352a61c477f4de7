"""Asking one agent: whatever goes wrong becomes an abstention with its cause, so that the panel degrades."""

import asyncio
from time import perf_counter

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Abstention, Answer, Opinion
from doubleread.core.ports import Agent, Reconsiders
from doubleread.core.task import Task


async def ask(
    name: str, agent: Agent, case: Case, evidence: Evidence | None, *, task: Task, round_: int, timeout_s: float
) -> Answer:
    """The agent's answer to a case; with ``evidence`` its second look, where it can take one. Raises nothing."""
    began = perf_counter()
    try:
        async with asyncio.timeout(timeout_s):
            answer = _usable(name, await _answer(agent, case, evidence), task)
    except TimeoutError:
        answer = Abstention(agent=name, cause="timeout", detail=f"no answer in {timeout_s:g} s")
    except Exception as error:  # noqa: BLE001 - one failing agent must not take the panel down
        answer = Abstention(agent=name, cause="failure", detail=f"{type(error).__name__}: {error}"[:200])
    took = {} if answer.seconds else {"seconds": perf_counter() - began}
    return answer.model_copy(update={"agent": name, "round": round_, **took})


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
