"""A panel reads every picture of every cell."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from doubleread.core.case import Case
from doubleread.core.errors import ImageError, RunError
from doubleread.core.types import Tensor3
from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.runs.run_engine import LocalEngine, Numbered
from doubleread.evals.stress.corrupted_pictures import Cell, corrupted
from doubleread.evals.stress.figures import FIGURES, distribution
from doubleread.panel import Panel


class Fate(IntEnum):
    """What came of a picture."""

    WAITING = 0
    READ = 1
    SILENT = 2
    """Read, and no agent spoke."""
    FAILED = 3
    IMPOSSIBLE = 4
    """It cannot be corrupted so."""


@dataclass
class Readings:
    """What the panel said, as numbers, and what could not be read."""

    figures: Tensor3
    """Shape ``(cases, cells, figures)``; NaN where a reading does not count for a figure."""
    fates: NDArray[np.int8]
    """Shape ``(cases, cells)``."""
    unread: dict[int, str] = field(default_factory=dict)
    """Why an image could not be opened, by its place among the cases."""
    known: set[int] = field(default_factory=set)
    """Images of which the archive holds a near copy, by their place."""

    @property
    def read(self) -> int:
        """Readings."""
        return int(np.isin(self.fates, (Fate.READ, Fate.SILENT)).sum())


async def read(
    panel: Panel, cases: Sequence[Case], cells: Sequence[Cell], progress: Callable[[int, int], None]
) -> Readings:
    """Reads all pictures; the first cell is the clean one. ``progress(done, total)`` counts pictures.

    Raises ``RunError`` where the budget for models is spent: without them the panel is another one.
    """
    shape = (len(cases), len(cells))
    found = Readings(np.full((*shape, len(FIGURES)), np.nan), np.zeros(shape, np.int8))
    engine = LocalEngine(panel, panel.settings.run.in_flight)
    async with aclosing(engine.answers(_pictures(panel, cases, cells, found))) as answers:
        async for (place, case), result in answers:
            _take(found, divmod(place, len(cells)), case, result, panel)
            progress(int(np.count_nonzero(found.fates)), found.fates.size)
    return found


def _pictures(panel: Panel, cases: Sequence[Case], cells: Sequence[Cell], found: Readings) -> Iterator[Numbered]:
    for i, (case, pictures) in enumerate(zip(cases, corrupted(cases, cells), strict=True)):
        if isinstance(pictures, ImageError):
            found.unread[i] = f"{case.source}: {pictures}"
            found.fates[i] = Fate.FAILED
            continue
        for j, data in enumerate(pictures):
            if data is None:
                found.fates[i, j] = Fate.IMPOSSIBLE
            else:
                yield Numbered(i * len(cells) + j, panel.hold(data, case))


def _take(found: Readings, place: tuple[int, int], case: Case, result: Verdict | Unread, panel: Panel) -> None:
    if isinstance(result, Unread):
        found.fates[place] = Fate.FAILED
        return
    if any(one.cause in ("budget", "quota") for one in result.abstentions):
        raise RunError(
            f"the budget for models is spent after {found.read} readings: allow more (budget.max_cost_usd), or ask for "
            "less with --limit, --corruptions or --severities"
        )
    found.fates[place] = Fate.READ if distribution(result) else Fate.SILENT
    if place[1] == 0 and result.evidence is not None and result.evidence.near_copies:
        found.known.add(place[0])
    found.figures[place] = [one.of(result, str(case.label), panel.task) for one in FIGURES.values()]
