"""The steps of a case's course, each a function of what is known so far.

Two drivers take them: the graph, which can be watched, interrupted and resumed at every step, and ``follow``, which
does nothing else and is for many cases.
"""

from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer
from doubleread.core.verdict import Decision
from doubleread.orchestrator.course.arbiter import Assessment
from doubleread.orchestrator.course.asking import ask, consult
from doubleread.orchestrator.course.contest import for_second_look
from doubleread.orchestrator.course.course import Course
from doubleread.orchestrator.course.seats import Seats

_ASKED_FOR = Decision(action="second-look", reasons=("asked for",))


def whose_turn(course: Course, seats: Seats) -> list[str]:
    """First the agents that cost nothing, then the others; in a second look those that can and should look again."""
    known = course.known(course.round)
    if course.round > 1:
        return [name for name in seats.agents if name in known and seats.can_look_again(name)]
    spared = () if course.asked_all else seats.spared
    waiting = (*spared, *seats.arbiter.left_out)
    return [name for name in seats.agents if name not in known and name not in waiting]


async def read(name: str, course: Course, seats: Seats) -> Answer:
    """One agent's answer in this round. Raises nothing."""
    answer = await ask(
        name,
        seats.agents[name],
        course.case,
        course.evidence if course.round > 1 else None,
        task=seats.arbiter.task,
        round_=course.round,
        timeout_s=seats.agent_timeout_s,
    )
    seats.witness(course.case, answer)
    return answer


async def deliberate(course: Course, seats: Seats) -> tuple[Answer, ...]:
    """What the referees make of the round's answers; nothing without referees."""
    if not seats.referees:
        return ()
    arbiter = seats.arbiter
    said = {name: answer for name, answer in course.known(course.round).items() if name not in seats.referees}
    waiting = arbiter.left_out if course.asked_all else (*arbiter.left_out, *seats.spared)
    referees = {name: r for name, r in seats.referees.items() if name not in waiting}
    given = await consult(
        referees, said, arbiter.records(said), course.evidence, task=arbiter.task, round_=course.round
    )
    for answer in given.values():
        seats.witness(course.case, answer)
    return tuple(given.values())


def assess(course: Course, seats: Seats) -> Assessment:
    """Fuses the round's answers and says what should happen next."""
    first = course.known(1)
    able = any(seats.can_look_again(name) for name in first)
    found = seats.arbiter.assess(
        first,
        course.known(course.round),
        course.evidence,
        round_=course.round,
        can_ask_more=course.round == 1 and not course.asked_all and bool(seats.spared),
        can_look_again=able,
    )
    wanted = seats.look_again and able and course.round == 1 and found.decision.action in {"commit", "refer"}
    return found.model_copy(update={"decision": _ASKED_FOR}) if wanted else found


async def look_again(course: Course, seats: Seats) -> Evidence | None:
    """The evidence of the next round, with the cases that tell the contested labels apart."""
    if course.evidence is None:
        return None
    answers = course.known(course.round).values()
    return await for_second_look(course.case, seats.arbiter.task, answers, course.evidence, seats.retriever)
