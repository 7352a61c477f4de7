"""What reading the rows of a data set has to tell about them."""

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from doubleread.core.case import Case, RowProblem
from doubleread.core.label_likeness import look_alikes
from doubleread.core.notices import NO_GROUPS, Caution, cautions, first_few
from doubleread.evals.leakage import check_leakage

_SHOWN = 3
"""Rows named for each reason why rows are left out."""


def notes_on(labels: Iterable[str], cases: Sequence[Case], problems: Sequence[RowProblem]) -> tuple[str, ...]:
    """Notes and warnings on the cases that were made of rows with these labels, and on what was left out."""
    return (
        *_grouping(cases), *_look_alikes(cases), *_leaks(cases), *_lost(labels, cases), *_skipped(problems)
    )  # fmt: skip


def _leaks(cases: Sequence[Case]) -> tuple[Caution, ...]:
    """What the splits share, so that figures on them are too good; ``doubleread cases check`` lists it."""
    found = check_leakage(cases)
    shared = (("pictures", len(found.copies)), ("groups", len(found.shared_groups)))
    return cautions(
        f"{n} {what} are in more than one split, so the measured accuracy will be too high; "
        "`doubleread cases check` lists them"
        for what, n in shared
        if n
    )


def _skipped(problems: Sequence[RowProblem]) -> tuple[Caution, ...]:
    by_reason: dict[str, list[RowProblem]] = defaultdict(list)
    for one in problems:
        by_reason[one.reason].append(one)
    lines: list[str] = []
    for reason, some in by_reason.items():
        if reason and len(some) > _SHOWN:
            names = ", ".join(one.where for one in some[:_SHOWN])
            alike = len({one.problem for one in some} - {reason}) == 1
            why = f" ({some[0].problem})" if alike else ""
            lines.append(f"skipped {len(some):,} {reason}{why}: {names}, …")
        else:
            lines += [one.line for one in some]
    return cautions(first_few(lines, "{n:,} more rows skipped"))


def _lost(labels: Iterable[str], cases: Sequence[Case]) -> tuple[Caution, ...]:
    """The labels that no case has, since all their rows were left out."""
    lost = Counter(filter(None, labels))
    for case in cases:
        lost.pop(case.label or "", None)
    return cautions(f"the label {label!r} has no image left: all {n:,} were left out" for label, n in lost.items())


def _grouping(cases: Sequence[Case]) -> list[str]:
    without = sum(case.group is None for case in cases)
    if without == len(cases):
        return [Caution(NO_GROUPS)]
    groups = len({case.group for case in cases if case.group is not None})
    some = [Caution(f"{without} cases have no group")] if without else []
    return [f"{groups} groups of cases that stay together", *some]


def _look_alikes(cases: Sequence[Case]) -> list[str]:
    counts = Counter(case.label or "" for case in cases)
    return [
        Caution(
            f"labels {', '.join(map(repr, names))} are kept apart, but look like one label spelt differently; to join "
            f"them: {_joining(names, counts)}"
        )
        for names in look_alikes(counts)
    ]


def _joining(names: Sequence[str], counts: Mapping[str, int]) -> str:
    """The options that rename all labels to the most frequent one."""
    kept = max(names, key=lambda name: counts[name])
    return " ".join(f"--map {shlex.quote(f'{name}={kept}')}" for name in names if name != kept)
