"""Whether attribution maps are faithful: covering what they point at must take the label away, and showing it bring it.

Deletion and insertion curves (Petsiuk et al. 2018, "RISE", arXiv 1806.07421, section 4.3): cells are covered, or
uncovered, in the order of the map, and the agent's probability for the label is averaged along the way. Each map is
compared on the same image with random ones that are as smooth, and with one that knows only that photographers put what
matters in the middle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doubleread.core.agent_ports import ReadsViews
from doubleread.core.attribution import CELLS, WINDOWS, AttributionMap
from doubleread.core.case import Case
from doubleread.core.types import Matrix
from doubleread.orchestrator.course.seats import Seats
from doubleread.panel.attribution_maps import attribute, read_views
from doubleread.rag.images.image_views import covered

STEP = 4
"""Cells that are covered or uncovered at a time."""
RANDOM = 3
"""Random maps for each image."""


_AT = (np.arange(CELLS) - (CELLS - 1) / 2) ** 2
_CENTRE = -(_AT[:, None] + _AT[None])
"""The cells nearest to the middle first."""


@dataclass(frozen=True)
class FaithfulnessGain:
    """What a map is worth beside another; both lie between -1 and 1."""

    deletion: float
    """By how much lower the mean probability is where the cells of the map are covered first."""
    insertion: float
    """By how much higher it is where they are shown first."""


@dataclass(frozen=True)
class Faithfulness:
    """What one agent's map of one image is worth."""

    agent: str
    flat: bool
    over_random: FaithfulnessGain
    over_centre: FaithfulnessGain


async def faithfulness(case: Case, seats: Seats, label: str, rng: np.random.Generator) -> list[Faithfulness]:
    """One for every agent that has a map. Raises ``ImageError``, and ``TaskError`` for an unknown label."""
    found = await attribute(case, seats.agents, seats.arbiter, label)
    others = [*(_smooth(rng) for _ in range(RANDOM)), _CENTRE]
    result = []
    for one in found.maps:
        agent = seats.agents[one.agent]
        assert isinstance(agent, ReadsViews)
        orders = [_order(one.cells), *map(_order, others)]
        views = [name for order in orders for name in _views(order)]
        read = (await read_views(case, {one.agent: agent}, seats.arbiter, views))[one.agent]
        assert not isinstance(read, str)
        curves = read[:, seats.arbiter.task.index(label)].reshape(len(orders), 2, -1)
        areas = np.asarray(np.trapezoid(curves, axis=2)) / (curves.shape[2] - 1)
        result.append(_compared(one, areas))
    return result


def _compared(one: AttributionMap, areas: Matrix) -> Faithfulness:
    """``areas``: deletion and insertion of the map, of each random one and of the centre, ``(RANDOM + 2, 2)``."""
    random, centre = areas[1:-1].mean(axis=0), areas[-1]
    gains = [
        FaithfulnessGain(float(other[0] - areas[0, 0]), float(areas[0, 1] - other[1])) for other in (random, centre)
    ]
    return Faithfulness(one.agent, one.flat, *gains)


def _smooth(rng: np.random.Generator) -> Matrix:
    """The cells of a map whose windows are noise."""
    noise = rng.random((WINDOWS, WINDOWS))
    return AttributionMap(agent="", label="", before=0.0, after=tuple(map(tuple, noise.tolist()))).cells


def _order(cells: Matrix) -> NDArray[np.intp]:
    """Cells by what covering them takes away, the most first."""
    return np.argsort(-cells, axis=None, kind="stable")


def _views(order: NDArray[np.intp]) -> Sequence[str]:
    """The views of the deletion curve, then of the insertion curve."""
    counts = range(0, CELLS * CELLS + 1, STEP)
    deleted = [np.isin(np.arange(CELLS * CELLS), order[:n]).reshape(CELLS, CELLS) for n in counts]
    inserted = [~cells for cells in deleted]
    return [covered(cells) for cells in (*deleted, *inserted)]
