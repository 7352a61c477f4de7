"""A panel reads every picture of every variant."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing

import numpy as np

from doubleread.core.case import Case
from doubleread.core.errors import ImageError, RunError
from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.runs.run_engine import LocalEngine, NumberedCase
from doubleread.evals.stress._corrupted_pictures import PictureVariant, corrupted
from doubleread.evals.stress._stress_figures import FIGURES, ReadingState, StressReadings, distribution
from doubleread.panel import Panel


async def read(
    panel: Panel, cases: Sequence[Case], variants: Sequence[PictureVariant], progress: Callable[[int, int], None]
) -> StressReadings:
    """Reads all pictures; the first variant is the clean one. ``progress(done, total)`` counts pictures.

    Raises ``RunError`` where the budget for models is spent: without them the panel is another one.
    """
    shape = (len(cases), len(variants))
    found = StressReadings(np.full((*shape, len(FIGURES)), np.nan), np.zeros(shape, np.int8))
    engine = LocalEngine(panel, panel.settings.run.in_flight)
    async with aclosing(engine.answers(_pictures(panel, cases, variants, found))) as answers:
        async for (place, case), result in answers:
            _take(found, divmod(place, len(variants)), case, result, panel)
            progress(int(np.count_nonzero(found.states)), found.states.size)
    return found


def _pictures(
    panel: Panel, cases: Sequence[Case], variants: Sequence[PictureVariant], found: StressReadings
) -> Iterator[NumberedCase]:
    for i, (case, pictures) in enumerate(zip(cases, corrupted(cases, variants), strict=True)):
        if isinstance(pictures, ImageError):
            found.unread[i] = f"{case.source}: {pictures}"
            found.states[i] = ReadingState.FAILED
            continue
        for j, data in enumerate(pictures):
            if data is None:
                found.states[i, j] = ReadingState.IMPOSSIBLE
            else:
                yield NumberedCase(i * len(variants) + j, panel.hold(data, case))


def _take(found: StressReadings, place: tuple[int, int], case: Case, result: Verdict | Unread, panel: Panel) -> None:
    if isinstance(result, Unread):
        found.states[place] = ReadingState.FAILED
        return
    if any(one.cause in ("budget", "quota") for one in result.abstentions):
        raise RunError(
            f"the budget for models is spent after {found.read} readings: raise budget.max_cost_usd, or run fewer "
            "conditions with --limit, --corruptions or --severities"
        )
    found.states[place] = ReadingState.READ if distribution(result) else ReadingState.SILENT
    if place[1] == 0 and result.evidence is not None and result.evidence.near_copies:
        found.known.add(place[0])
    found.figures[place] = [one.of(result, str(case.label), panel.task) for one in FIGURES.values()]
