"""Which cases of a data set a run diagnoses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.evals.datasets.label_names import TEST
from doubleread.evals.runs.run_record import Shard

ALL = "all"


@dataclass(frozen=True)
class Selection:
    """The cases, each with its place among all that could be run, and what to know about the choice."""

    everything: tuple[Case, ...]
    """All that could be run. They identify the run, whatever its limit or shard."""
    chosen: tuple[tuple[int, Case], ...]
    notes: tuple[str, ...]
    split: str = ALL
    learned: int = 0
    """Cases left out because the panel has learned from them."""


def select(
    cases: Sequence[Case],
    learned_from: Callable[[Case], bool],
    *,
    split: str | None = None,
    limit: int | None = None,
    shard: Shard | None = None,
) -> Selection:
    """Cases of a split (of one named ``test`` where there is one, else all), without those the panel learned from.

    A ``limit`` takes cases evenly from first to last, since data sets come label by label; a shard takes every
    ``of``-th. Raises ``DataError`` where nothing is left.
    """
    splits = {case.split for case in cases if case.split is not None}
    wanted = split or (TEST if TEST in splits else ALL)
    if wanted not in (ALL, *splits):
        raise DataError(f"no case has the split {wanted!r}; splits: {', '.join(sorted(splits)) or 'none'}")
    some = _distinct([case for case in cases if wanted in (ALL, case.split)])
    fresh = tuple(case for case in some if not learned_from(case))
    notes = [f"split {wanted}: {len(some)} of {len(cases)} cases"] if wanted != ALL else []
    if known := len(some) - len(fresh):
        notes.append(f"{known} cases left out: the panel has learned from these images, so they cannot test it")
    if not fresh:
        raise DataError(_nothing_left(len(cases), known, wanted))
    chosen = list(enumerate(fresh))
    if shard is not None:
        chosen = chosen[shard.number - 1 :: shard.of]
    if limit is not None and limit < len(chosen):
        chosen = [chosen[i * len(chosen) // limit] for i in range(limit)]
        notes.append(f"{limit} cases, taken evenly")
    return Selection(fresh, tuple(chosen), tuple(notes), wanted, known)


def _nothing_left(cases: int, known: int, wanted: str) -> str:
    if not cases:
        return "the data set is empty: there is no image to judge the panel on"
    where = "" if wanted == ALL else f" of split {wanted!r}"
    return (
        f"there is no image to judge the panel on: it has learned from all {known} images{where}. Name labelled images "
        "that it has not learned from, or fit it again with some of these kept back (`doubleread fit` does that unless "
        "--test-share is 0; in Python, Dataset.with_splits)"
    )


def _distinct(cases: Sequence[Case]) -> list[Case]:
    return list({case.id: case for case in reversed(cases)}.values())[::-1]
