"""Measures the consistency gap: calibration cases are read again with reworded prompts and reordered labels."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from doubleread.core.agent_ports import Rephrases
from doubleread.core.background import Background
from doubleread.core.case import Case
from doubleread.core.opinion import Answer, Opinion
from doubleread.core.progress import Progress
from doubleread.core.task import Task
from doubleread.core.trust import ConsistencyGap
from doubleread.orchestrator.course.arbiter import Arbiter
from doubleread.orchestrator.learning.arbitration import Readings
from doubleread.orchestrator.resampling import bootstrap
from doubleread.orchestrator.trust.profile import share
from doubleread.panel.composition import Seated
from doubleread.settings import Settings

Gaps = Mapping[str, Mapping[str, ConsistencyGap]]
"""Gaps by agent and kind of rewording."""


def consistency_gaps(
    readings: Readings, cases: Sequence[Case], seated: Seated, settings: Settings, progress: Progress
) -> Gaps:
    """Returns the gaps of every agent that can be rephrased, on ``trust.consistency_cases`` random cases."""
    column = {name: i for i, name in enumerate(settings.panel.agents)}
    heard = [name for name, i in column.items() if any(isinstance(row[i], Opinion) for row in readings.first)]
    able = {name: agent for name, agent in seated.agents.items() if name in heard and isinstance(agent, Rephrases)}
    wanted = min(settings.trust.consistency_cases, len(cases))
    if not able or not wanted:
        return {}
    rows = np.random.default_rng(settings.trust.seed).choice(len(cases), wanted, replace=False)

    async def everyone() -> Gaps:
        found = {}
        for done, (name, agent) in enumerate(able.items()):
            progress("asking in other words", done, len(able))
            found[name] = await _gaps(agent, [(cases[i], readings.first[i][column[name]]) for i in rows], seated.task)
        progress("asking in other words", len(able), len(able))
        return found

    with Background() as background:
        return background.call(everyone)


def with_gaps(arbiter: Arbiter, gaps: Gaps) -> Arbiter:
    """Returns the arbiter with the gaps in its first-round profiles."""
    profiles = (
        p.model_copy(update={"consistency": dict(gaps[p.agent])}) if p.agent in gaps and p.round == 1 else p
        for p in arbiter.profiles
    )
    return replace(arbiter, profiles=tuple(profiles))


async def _gaps(agent: Rephrases, first: Sequence[tuple[Case, Answer]], task: Task) -> dict[str, ConsistencyGap]:
    asked = [(case, answer, variant) for case, answer in first for variant in agent.variants]
    again = await asyncio.gather(*(agent.read_as(case, variant) for case, _, variant in asked))
    pairs: dict[str, list[tuple[Opinion, Opinion]]] = defaultdict(list)
    for (_, before, variant), after in zip(asked, again, strict=True):
        if isinstance(before, Opinion) and isinstance(after, Opinion):
            pairs[variant.partition(":")[0]].append((before, after))
    return {kind: _gap(found, task) for kind, found in pairs.items()}


def _gap(pairs: Sequence[tuple[Opinion, Opinion]], task: Task) -> ConsistencyGap:
    flips = np.array([before.label != after.label for before, after in pairs])
    moved = np.array([np.abs(before.vector(task) - after.vector(task)).sum() / 2 for before, after in pairs])
    distance = bootstrap(lambda rows: float(moved[rows].mean()), len(moved))
    return ConsistencyGap(n=len(pairs), flips=share(flips), distance=distance)
