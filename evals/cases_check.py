"""The leakage check of a data set, or of an archive against test images: what leaks, and what rests on it."""

from collections.abc import Sequence

import numpy as np

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.evals.datasets.label_names import SPLIT_NAMES, TEST
from doubleread.evals.leakage import LeakageReport, check_leakage, contradictions
from doubleread.evals.leakage_effect import LeakEffect, leak_effect, leak_keys
from doubleread.evals.splits import split
from doubleread.rag.near_copies.copy_finder import PictureSet
from doubleread.rag.near_copies.near_duplicates import NearDuplicates, NearRule

ARCHIVE = "archive"
_MOST_TESTS = 2000


class CasesCheck(Record):
    """What ``doubleread cases check`` found."""

    leakage: LeakageReport
    effect: LeakEffect
    rule: NearRule
    """When pictures count as near copies."""
    clusters: tuple[tuple[str, ...], ...]
    """Sources of near and exact copies that hang together, in whatever split."""
    notes: tuple[str, ...] = ()


def to_check(cases: Sequence[Case], against: Sequence[Case] | None = None, *, seed: int = 0) -> tuple[Case, ...]:
    """The cases with the splits that an evaluation would see.

    With ``against``, ``cases`` are the archive and ``against`` the test images (of a data set with splits, those of
    its test split). Otherwise the data's own splits count, and where it has none it is split as ``fit`` would.
    Raises what ``split`` raises.
    """
    if against is None:
        return split(cases, seed=seed)
    tests = [case for case in against if _is_test(case)] or list(against)
    return (*_with_split(cases, ARCHIVE), *_with_split(tests, TEST))


def check_cases(pictures: PictureSet, near: NearDuplicates, contradicting: Sequence[Case] = ()) -> CasesCheck:
    """Leaks among the cases of ``pictures`` and how much accuracy on its test cases rests on them.

    ``contradicting``: what reading left out, since one picture carries several labels; it is told as conflicts.
    Accuracy is measured on at most 2,000 test cases, evenly spread over their ids. Raises ``DataError`` where there is
    no labelled test case, or nothing to compare it with.
    """
    cases = pictures.cases
    sources = [case.source for case in cases]
    leakage = check_leakage(cases, near)
    conflicts = (*leakage.conflicts, *contradictions(contradicting))
    return CasesCheck(
        leakage=leakage.model_copy(update={"conflicts": conflicts}),
        effect=_effect(pictures, near),
        rule=near.rule,
        clusters=tuple(tuple(sources[i] for i in rows) for rows in near.clusters),
    )


def _effect(pictures: PictureSet, near: NearDuplicates) -> LeakEffect:
    cases = pictures.cases
    labels = {label: i for i, label in enumerate(sorted({case.label for case in cases if case.label is not None}))}
    codes = np.array([labels.get(case.label or "", -1) for case in cases], np.int64)
    is_test = np.array([case.split == TEST for case in cases])
    tests = np.flatnonzero(is_test & (codes >= 0))
    seen = np.flatnonzero(~is_test & (codes >= 0))
    if not (len(tests) and len(seen)):
        raise DataError("the check needs labelled cases in the split test and in another split")
    tests = tests[np.argsort([cases[i].id for i in tests])]
    tests = tests[np.linspace(0, len(tests) - 1, min(_MOST_TESTS, len(tests))).round().astype(int)]
    keys, rows = leak_keys(cases, near.clusters), pictures.embeddings
    return leak_effect(rows[tests], codes[tests], keys[tests], rows[seen], codes[seen], keys[seen])


def _is_test(case: Case) -> bool:
    return SPLIT_NAMES.get((case.split or "").lower()) == TEST


def _with_split(cases: Sequence[Case], name: str) -> tuple[Case, ...]:
    return tuple(case.model_copy(update={"split": name}) for case in cases)
