"""What a second look is about: the labels the panel is in two minds about, and the cases that tell them apart."""

from collections.abc import Iterable

import numpy as np

from doubleread.core.case import Case
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import Answer, Opinion
from doubleread.core.ports import Retriever
from doubleread.core.task import Task

PER_LABEL = 4
"""Stored cases found for each contested label."""


async def for_second_look(
    case: Case, task: Task, answers: Iterable[Answer], evidence: Evidence, retriever: Retriever
) -> Evidence:
    """The evidence with the contested labels and the nearest cases of each, whatever label leads."""
    labels = contested(task, answers, evidence)
    contrast = await retriever.contrast(case, labels, PER_LABEL)
    return evidence.model_copy(update={"contested": labels, "contrast": contrast})


def contested(task: Task, answers: Iterable[Answer], evidence: Evidence) -> tuple[str, ...]:
    """Labels that some agent named or that the evidence implies, in task order; never fewer than two.

    Where all name the same label, the one that comes second in their mean joins it.
    """
    opinions = [answer for answer in answers if isinstance(answer, Opinion)]
    named = {opinion.label for opinion in opinions} | ({evidence.label} if evidence.label else set())
    if len(named) < 2:
        mean = np.mean([opinion.vector(task) for opinion in opinions] or [task.prior_vector()], axis=0)
        ranked = [task.names[k] for k in np.argsort(-mean, kind="stable")]
        named |= set([name for name in ranked if name not in named][: 2 - len(named)])
    return tuple(name for name in task.names if name in named)
