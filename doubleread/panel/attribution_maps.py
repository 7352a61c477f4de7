"""Attribution by occlusion: the image is read repeatedly with one part covered.

Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks" (arXiv 1311.2901, section 4.2), applied to
the calibrated probability of each agent. Each covered image is encoded once for all agents, and cached by image, view
and encoder.
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
"""Views per request: other readings can run, and a caller can cancel, in between."""
NO_VIEWS = "there is no map: it is not asked about covered images, so where it looked is not known"
VIEWS = (WHOLE, *(covered(window_cells(row, column)) for row in range(WINDOWS) for column in range(WINDOWS)))


async def attribute(
    case: Case, agents: Mapping[str, Agent], arbiter: Arbiter, label: str, progress: Progress = silent
) -> Attribution:
    """Returns the maps, for one label, of all agents that can read covered images.

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
    """Returns an attribution in which no agent has a map."""
    without = dict.fromkeys(agents, f"there is no map: {why}")
    return Attribution(case=case, label=label, maps=(), without=without, scale=scale_of(()))


async def read_views(
    case: Case,
    agents: Mapping[str, ReadsViews],
    arbiter: Arbiter,
    views: Sequence[str],
    progress: Progress = silent,
) -> dict[str, Matrix | str]:
    """Returns each agent's calibrated probabilities, ``(len(views), n_labels)``, or the reason why there are none."""
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
