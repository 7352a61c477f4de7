"""Runs a case through the panel without a graph: cheap for many cases, and for calibration cases."""

import asyncio
from dataclasses import replace
from time import perf_counter

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.task import Task
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.course.course import (
    AgentsToAsk,
    Course,
    LabelsToContrast,
    RefereesToConsult,
    Roster,
    next_step,
)
from doubleread.orchestrator.course.seats import Readers, Seats
from doubleread.orchestrator.course.verdicts import verdict_of


async def follow(case: Case, seats: Seats) -> Verdict:
    """Diagnoses one case. Raises nothing for unreadable cases: the verdict reports them."""
    began = perf_counter()
    course = await run_course(case, seats, seats.roster)
    return verdict_of(case, course, seats, seconds=perf_counter() - began)


async def run_course(case: Case, readers: Readers, roster: Roster) -> Course:
    """Runs the whole course of one case with any judge."""
    course, step = next_step(Course(), roster)
    while step is not None:
        course, step = next_step(await _done(step, case, course, readers, roster.judge.task), roster)
    return course


async def _done(
    step: AgentsToAsk | RefereesToConsult | LabelsToContrast, case: Case, course: Course, readers: Readers, task: Task
) -> Course:
    if isinstance(step, RefereesToConsult):
        return course.with_answers(await readers.consult(step, case, course, task))
    if isinstance(step, LabelsToContrast):
        assert course.evidence is not None  # retrieved in the first round
        return course.next_round(await readers.contrast(step.labels, case, course.evidence))
    evidence, answers = await asyncio.gather(
        _evidence(case, course, readers),
        asyncio.gather(
            *(readers.read(name, case, course.evidence, task=task, round_=course.round) for name in step.agents)
        ),
    )
    return replace(course, evidence=evidence).with_answers(answers)


async def _evidence(case: Case, course: Course, readers: Readers) -> Evidence | None:
    return await readers.retriever.find(case) if course.evidence is None else course.evidence
