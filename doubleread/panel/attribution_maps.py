"""Attribution by occlusion: the image is read again and again with a part of it covered.

Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks" (arXiv 1311.2901, section 4.2), with the
calibrated probability of each agent in the place of the network's. Every covered image is encoded once for all agents,
and once in its life: encodings are cached by image, view and encoder.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter

import numpy as np

from doubleread.core.agent_ports import WHOLE, Agent, ReadsViews
from doubleread.core.attribution import WINDOWS, Attribution, AttributionMap, scale_of, window_cells
from doubleread.core.case import Case
from doubleread.core.opinion import Abstention, Answer, Opinion
from doubleread.core.progress import Progress, silent
from doubleread.core.types import Matrix
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.rag.images.image_views import covered

AT_ONCE = 16
"""Views that are asked for at a time: other readings get their turn, and a caller may give up, in between."""
NO_VIEWS = "there is no map: it is not asked about covered images, so where it looked is not known"
VIEWS = (WHOLE, *(covered(window_cells(row, column)) for row in range(WINDOWS) for column in range(WINDOWS)))


async def attribute(
    case: Case, agents: Mapping[str, Agent], arbiter: Arbiter, label: str, progress: Progress = silent
) -> Attribution:
    """The map of every agent that can be asked about covered images, for one label.

    Raises ``TaskError`` for an unknown label, ``ImageError`` for an image that cannot be read.
    """
    began, index = perf_counter(), arbiter.task.index(label)
    asked = {name: agent for name, agent in agents.items() if isinstance(agent, ReadsViews)}
    found = await read_views(case, asked, arbiter, VIEWS, progress)
    maps = tuple(
        AttributionMap(
            agent=name,
            label=label,
            before=float(p[0, index]),
            after=tuple(map(tuple, p[1:, index].reshape(WINDOWS, WINDOWS).tolist())),
        )
        for name, p in found.items()
        if not isinstance(p, str)
    )
    why = {name: p for name, p in found.items() if isinstance(p, str)}
    why |= {name: NO_VIEWS for name in agents if name not in asked}
    return Attribution(
        case=case, label=label, maps=maps, without=why, scale=scale_of(maps), seconds=perf_counter() - began
    )


def no_maps(case: Case, agents: Iterable[str], label: str, why: str) -> Attribution:
    """What is known where nobody can have a map."""
    without = dict.fromkeys(agents, f"there is no map: {why}")
    return Attribution(case=case, label=label, maps=(), without=without, scale=scale_of(()))


async def read_views(
    case: Case,
    agents: Mapping[str, ReadsViews],
    arbiter: Arbiter,
    views: Sequence[str],
    progress: Progress = silent,
) -> dict[str, Matrix | str]:
    """What each agent makes of each view, calibrated, ``(len(views), n_labels)``; or why it makes nothing of it."""
    answers: dict[str, list[Answer]] = {name: [] for name in agents}
    for start in range(0, len(views), AT_ONCE):
        part = views[start : start + AT_ONCE]
        rows = await asyncio.gather(*(agent.read_views(case, part) for agent in agents.values()))
        for name, row in zip(agents, rows, strict=True):
            answers[name].extend(row)
        progress("covering", min(start + AT_ONCE, len(views)), len(views))
    return {name: _calibrated(name, row, arbiter) for name, row in answers.items()}


def _calibrated(agent: str, answers: Sequence[Answer], arbiter: Arbiter) -> Matrix | str:
    abstained = [one for one in answers if isinstance(one, Abstention)]
    if abstained:
        return f"there is no map: it abstains ({abstained[0].detail or abstained[0].cause})"
    found = arbiter.calibrate(agent, [one for one in answers if isinstance(one, Opinion)])
    if found is None:
        return "there is no map: it was never calibrated on such answers"
    return np.asarray(found)
