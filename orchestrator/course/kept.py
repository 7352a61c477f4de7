"""Converts readings to the records that a panel stores, and back."""

from collections.abc import Mapping, Sequence

import numpy as np

from doubleread.core.case import Case
from doubleread.core.opinion import Abstention, Answer
from doubleread.core.reading import Reading, slim, slim_evidence
from doubleread.core.task import Task
from doubleread.orchestrator.learning.arbitration import Readings


def kept(task: Task, cases: Sequence[Case], readings: Readings) -> tuple[Reading, ...]:
    """One record per case; all groups are None if none is known."""
    groups: Sequence[str | None] = readings.groups or [None] * len(cases)
    subjects: Sequence[str | None] = readings.subjects or [None] * len(cases)
    answers = zip(readings.first, readings.second, readings.evidence, strict=True)
    rows = zip(cases, answers, readings.labels, groups, subjects, strict=True)
    return tuple(
        Reading(
            case=case.id,
            label=task.names[label],
            group=group,
            subject=subject,
            first=tuple(map(slim, first)),
            second=tuple(slim(answer) for answer in second if answer.round > 1),
            evidence=slim_evidence(evidence),
        )
        for case, (first, second, evidence), label, group, subject in rows
    )


def readings_of(
    task: Task,
    agents: Sequence[str],
    rows: Sequence[Reading],
    learned_from: str,
    support: Sequence[float] | None = None,
) -> Readings:
    """Converts records to readings to learn from; an agent without a recorded answer abstains.

    Raises ``TaskError`` for a label that the task does not have.
    """
    grouped = any(row.group is not None for row in rows)
    return Readings(
        first=[first_look(row, agents) for row in rows],
        second=[second_look(row, agents) for row in rows],
        evidence=[row.evidence for row in rows],
        labels=np.array([task.index(row.label) for row in rows], dtype=np.int64),
        groups=[row.group or row.case for row in rows] if grouped else None,
        learned_from=learned_from,
        support=None if support is None else np.array(support, dtype=float),
        subjects=[row.subject for row in rows] if any(row.subject is not None for row in rows) else None,
    )


def first_look(row: Reading, agents: Sequence[str]) -> list[Answer]:
    """Each agent's answer in the first round, in the order of ``agents``."""
    return _in_order({answer.agent: answer for answer in row.first}, agents)


def second_look(row: Reading, agents: Sequence[str]) -> list[Answer]:
    """Each agent's latest answer after a second look; abstentions if there was none."""
    said = {answer.agent: answer for answer in (*row.first, *row.second)} if row.second else {}
    return _in_order(said, agents)


def _in_order(said: Mapping[str, Answer], agents: Sequence[str]) -> list[Answer]:
    return [said.get(name) or Abstention(agent=name, cause="not-recorded") for name in agents]
