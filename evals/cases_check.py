"""The leakage check of a data set, or of an archive against test images: what leaks, and what rests on it."""

from collections.abc import Sequence

import numpy as np

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.evals.datasets.label_names import SPLIT_NAMES, TEST
from doubleread.evals.leakage import LeakageReport, check_leakage, contradictions
from doubleread.evals.leakage_effect import LeakEffect, leak_effect, leak_keys
from doubleread.rag.near_copies.copy_finder import PictureSet
from doubleread.rag.near_copies.near_duplicates import NearDuplicates, NearRule

ARCHIVE = "archive"
_MOST_TESTS = 2000
_SHOWN = 3


class CasesCheck(Record):
    """What ``doubleread cases check`` found."""

    leakage: LeakageReport
    effect: LeakEffect | None
    """None where no labelled case can be compared with another."""
    rule: NearRule
    """When pictures count as near copies."""
    clusters: tuple[tuple[str, ...], ...]
    """Sources of near and exact copies that hang together, in whatever split."""
    notes: tuple[str, ...] = ()


def to_check(cases: Sequence[Case], against: Sequence[Case] | None = None) -> tuple[Case, ...]:
    """The cases with the splits that an evaluation would see: the data's own, if they have any.

    With ``against``, ``cases`` are the archive and ``against`` the test images (of a data set with splits, those of
    its test split).
    """
    if against is None:
        return tuple(cases)
    tests = [case for case in against if _is_test(case)] or list(against)
    return (*_with_split(cases, ARCHIVE), *_with_split(tests, TEST))


def check_cases(
    pictures: PictureSet, near: NearDuplicates, contradicting: Sequence[Case] = (), repeated: Sequence[Case] = ()
) -> CasesCheck:
    """Leaks among the cases of ``pictures`` and how much accuracy rests on them.

    ``contradicting``: what reading left out, since one picture carries several labels; it is told as conflicts.
    ``repeated``: what reading left out, since the same picture is there already. Accuracy is measured on at most 2,000
    test cases, evenly spread over their ids; without a test split, on cases that are compared with all others.
    """
    cases = pictures.cases
    sources = [case.source for case in cases]
    leakage = check_leakage(cases, near, repeated)
    conflicts = (*leakage.conflicts, *contradictions(contradicting))
    return CasesCheck(
        leakage=leakage.model_copy(update={"conflicts": conflicts}),
        effect=_effect(pictures, near),
        rule=near.rule,
        clusters=tuple(tuple(sources[i] for i in rows) for rows in near.clusters),
        notes=_notes(sources, near),
    )


def _notes(sources: Sequence[str], near: NearDuplicates) -> tuple[str, ...]:
    if not near.flat:
        return ()
    some = ", ".join(sources[i] for i in near.flat[:_SHOWN]) + (" …" if len(near.flat) > _SHOWN else "")
    return (f"{len(near.flat)} pictures show too little detail to find near copies of them: {some}",)


def _effect(pictures: PictureSet, near: NearDuplicates) -> LeakEffect | None:
    cases = pictures.cases
    labels = {label: i for i, label in enumerate(sorted({case.label for case in cases if case.label is not None}))}
    codes = np.array([labels.get(case.label or "", -1) for case in cases], np.int64)
    is_test = np.array([case.split == TEST for case in cases], bool)
    tests = np.flatnonzero(is_test & (codes >= 0))
    seen = np.flatnonzero(~is_test & (codes >= 0))
    alone = not (len(tests) and len(seen))
    if alone:
        tests = seen = np.flatnonzero(codes >= 0)
    if len(seen) < 1 + alone:
        return None
    tests = tests[np.argsort([cases[i].id for i in tests])]
    tests = tests[np.linspace(0, len(tests) - 1, min(_MOST_TESTS, len(tests))).round().astype(int)]
    keys, rows = leak_keys(cases, near.clusters), pictures.embeddings
    itself = np.searchsorted(seen, tests) if alone else None
    return leak_effect(rows[tests], codes[tests], keys[tests], rows[seen], codes[seen], keys[seen], itself=itself)


def _is_test(case: Case) -> bool:
    return SPLIT_NAMES.get((case.split or "").lower()) == TEST


def _with_split(cases: Sequence[Case], name: str) -> tuple[Case, ...]:
    return tuple(case.model_copy(update={"split": name}) for case in cases)
