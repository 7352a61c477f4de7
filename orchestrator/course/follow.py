"""A case through the panel without a graph: the same steps in the same order, for many cases at little cost."""

import asyncio
from dataclasses import replace
from time import perf_counter

from doubleread.core.case import Case
from doubleread.core.opinion import Answer
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.course.course import Course
from doubleread.orchestrator.course.seats import Seats
from doubleread.orchestrator.course.steps import assess, deliberate, look_again, read, whose_turn
from doubleread.orchestrator.course.verdicts import verdict_of


async def follow(case: Case, seats: Seats) -> Verdict:
    """One case through the panel. Raises nothing for a case the agents cannot read: the verdict says so."""
    began = perf_counter()
    course = Course(case)
    evidence, first = await asyncio.gather(seats.retriever.find(case), _everyone(course, seats))
    course = await _assessed(replace(course, evidence=evidence, answers=first), seats)
    while course.action in ("ask-more", "second-look"):
        if course.action == "ask-more":
            course = replace(course, asked_all=True)
        else:
            course = replace(course, evidence=await look_again(course, seats), round=course.round + 1)
        course = replace(course, answers=(*course.answers, *await _everyone(course, seats)))
        course = await _assessed(course, seats)
    return verdict_of(course, seats, seconds=perf_counter() - began)


async def _everyone(course: Course, seats: Seats) -> tuple[Answer, ...]:
    return tuple(await asyncio.gather(*(read(name, course, seats) for name in whose_turn(course, seats))))


async def _assessed(course: Course, seats: Seats) -> Course:
    course = replace(course, answers=(*course.answers, *await deliberate(course, seats)))
    return replace(course, assessments={**course.assessments, course.round: assess(course, seats)})
