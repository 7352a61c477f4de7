"""Has referees read the calibration cases, with trust profiles that were not learned from the same cases."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from doubleread.core.background import Background
from doubleread.core.case import Case
from doubleread.core.opinion import Answer
from doubleread.core.progress import Progress
from doubleread.core.trust import TrustProfile
from doubleread.core.types import Labels
from doubleread.orchestrator.course.seats import Witness, consult
from doubleread.orchestrator.learning.arbitration import Readings, tensor
from doubleread.orchestrator.resampling import grouped_folds
from doubleread.orchestrator.trust.profile import profile
from doubleread.panel.composition import Seated
from doubleread.settings import Settings

AT_ONCE = 32


def with_referees(
    readings: Readings,
    cases: Sequence[Case],
    seated: Seated,
    settings: Settings,
    progress: Progress,
    witness: Witness,
) -> Readings:
    """Returns the readings with the referees' answers added, in the order of the panel."""
    if not seated.referees:
        return readings
    rounds = [readings.first] if readings.second is readings.first else [readings.first, readings.second]
    given = [
        _round(turn, answers, readings, cases, seated, settings, progress, witness)
        for turn, answers in enumerate(rounds, start=1)
    ]
    return replace(readings, first=given[0], second=given[-1])


def _round(
    turn: int,
    answers: Sequence[Sequence[Answer]],
    readings: Readings,
    cases: Sequence[Case],
    seated: Seated,
    settings: Settings,
    progress: Progress,
    witness: Witness,
) -> list[list[Answer]]:
    records = _records_of_others(turn, answers, readings, seated, settings)
    readers, order = list(seated.agents), settings.panel.agents

    async def one(i: int) -> list[Answer]:
        said = dict(zip(readers, answers[i], strict=True))
        given = await consult(seated.referees, said, records[i], readings.evidence[i], task=seated.task, round_=turn)
        for answer in given.values():
            witness(cases[i], answer)
        return [{**said, **given}[name] for name in order]

    async def everyone() -> list[list[Answer]]:
        rows: list[list[Answer]] = []
        for start in range(0, len(cases), AT_ONCE):
            rows += await asyncio.gather(*(one(i) for i in range(start, min(start + AT_ONCE, len(cases)))))
            progress(f"asking the referees, round {turn}", len(rows), len(cases))
        return rows

    with Background() as background:
        return background.call(everyone)


def _records_of_others(
    turn: int, answers: Sequence[Sequence[Answer]], readings: Readings, seated: Seated, settings: Settings
) -> list[dict[str, TrustProfile]]:
    """Returns for each case the readers' profiles, learned from the other folds."""
    raw, y, groups = tensor(seated.task, answers), readings.labels, readings.groups
    records: list[dict[str, TrustProfile]] = [{} for _ in y]

    def records_on(rows: Labels) -> dict[str, TrustProfile]:
        return {
            name: profile(name, seated.task, raw[rows, i], y[rows], round=turn)
            for i, name in enumerate(seated.agents)
            if not np.isnan(raw[rows, i]).all()
        }

    for fold in grouped_folds(y, groups, settings.trust.folds, settings.trust.seed):
        found = records_on(fold.train)
        for row in fold.test:
            records[row] = found
    return records
