"""Whether the maps of where agents looked are faithful, and what they cost, on leaves that the panel has never seen."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from tempfile import mkdtemp

import numpy as np

from benchmarks.bench_panel import judged_panel
from benchmarks.data import leaves
from benchmarks.faithfulness import Faithfulness, faithfulness
from benchmarks.figure import Figure
from benchmarks.harness import seconds, timed
from doubleread.core.background import Background
from doubleread.core.trust import Estimate
from doubleread.core.types import Vector
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.resampling import bootstrap
from doubleread.panel import Panel
from doubleread.settings import Settings, load_settings

JUDGED, TIMED = 120, 20
GAINS: dict[str, Callable[[Faithfulness], float]] = {
    "deletion_over_random": lambda one: one.over_random.deletion,
    "insertion_over_random": lambda one: one.over_random.insertion,
    "deletion_over_centre": lambda one: one.over_centre.deletion,
    "insertion_over_centre": lambda one: one.over_centre.insertion,
}


def attribution_faithfulness() -> Iterator[Figure]:
    """Deletion and insertion by the maps of the verdict's label, against random maps and one of the middle, paired.

    Flat maps count too: their order of cells is followed as if it meant something.
    """
    verdicts = _some(JUDGED)
    groups = [verdict.case.group for verdict in verdicts]
    with Panel.load(judged_panel(leaves).folder) as panel, Background() as loop:
        rows = [loop.call(_judged, panel, verdict, seed) for seed, verdict in enumerate(verdicts)]
    for place, one in enumerate(rows[0]):
        column = [row[place] for row in rows]
        flat = f"{sum(each.flat for each in column)} of the maps are flat"
        for name, gain in GAINS.items():
            e = _mean(np.array([gain(each) for each in column]), groups)
            target = "> 0" if name.endswith("random") else ""
            figure = f"attribution.{name}.{one.agent}"
            yield Figure.of(figure, e, len(column), target, flat)


def attribution_seconds() -> Iterator[Figure]:
    """All maps of one leaf with a fitted panel loaded, nothing of it cached but its first look."""
    with Panel.load(judged_panel(leaves).folder, settings=_uncached()) as panel:
        taken = []
        for verdict in _some(TIMED + 1):
            panel.diagnose(verdict.case)
            taken.append(seconds(partial(panel.attribute, verdict)))
    yield timed("attribution.seconds", taken)


def _mean(gains: Vector, groups: Sequence[str | None]) -> Estimate:
    return bootstrap(lambda rows: float(gains[rows].mean()), len(gains), groups=groups)


async def _judged(panel: Panel, verdict: Verdict, seed: int) -> list[Faithfulness]:
    seats, rng = await panel.seats(verdict.case), np.random.default_rng(seed)
    return await faithfulness(verdict.case, seats, str(verdict.label), rng)


def _some(n: int) -> list[Verdict]:
    """Verdicts on test leaves, drawn without looking at them."""
    verdicts = judged_panel(leaves).verdicts
    return [verdicts[i] for i in np.random.default_rng(0).permutation(len(verdicts))[:n]]


def _uncached() -> Settings:
    return load_settings(None, {"encoder": {"cache_dir": mkdtemp(prefix="doubleread-bench-")}})
