"""What the test cases may already have shown: copies, near copies, shared groups, contradicting labels."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from doubleread.core.case import Case
from doubleread.evals.leakage_report import Copies, LeakageReport, NearCopy, SharedGroup
from doubleread.rag.near_copies.near_duplicates import NearDuplicates


def check_leakage(cases: Iterable[Case], near: NearDuplicates | None = None) -> LeakageReport:
    """What these cases, each with its split, give away; cases without a split are taken as one split, ``none``.

    ``near`` holds the near copies among them, by position.
    """
    found = list(cases)
    same: dict[str, list[Case]] = defaultdict(list)
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in found:
        same[case.id].append(case)
        if case.group is not None:
            groups[case.group].append(case)
    copies = [_copies(members) for members in same.values() if len(members) > 1]
    return LeakageReport(
        n=len(found),
        splits=_splits(found),
        copies=tuple(c for c in copies if len(c.splits) > 1),
        near_copies=None if near is None else _near_copies(found, near),
        shared_groups=tuple(
            SharedGroup(group=group, cases={name: sum(_split(c) == name for c in members) for name in _splits(members)})
            for group, members in sorted(groups.items())
            if len(_splits(members)) > 1
        ),
        conflicts=contradictions(found),
        ungrouped=sum(case.group is None for case in found),
    )


def contradictions(cases: Iterable[Case]) -> tuple[Copies, ...]:
    """The pictures that stand among these cases under several labels."""
    same: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        same[case.id].append(case)
    found = [_copies(members) for members in same.values()]
    return tuple(one for one in found if len(one.labels) > 1)


def _copies(members: Sequence[Case]) -> Copies:
    return Copies(
        case_id=members[0].id,
        sources=tuple(case.source for case in members),
        splits=_splits(members),
        labels=_labels(members),
    )


def _near_copies(cases: Sequence[Case], near: NearDuplicates) -> tuple[NearCopy, ...]:
    """The pairs that matter: of different files, and in different splits or under different labels."""
    pairs = [(cases[pair.first], cases[pair.second], pair) for pair in near.pairs]
    found = [
        NearCopy(
            case_ids=(a.id, b.id),
            sources=(a.source, b.source),
            splits=_splits((a, b)),
            labels=_labels((a, b)),
            similarity=pair.similarity,
            distance=pair.distance,
        )
        for a, b, pair in pairs
        if a.id != b.id
    ]
    telling = [one for one in found if len(one.splits) > 1 or len(one.labels) > 1]
    return tuple(sorted(telling, key=lambda one: -one.similarity))


def _labels(cases: Iterable[Case]) -> tuple[str, ...]:
    return tuple(sorted({case.label for case in cases if case.label is not None}))


def _split(case: Case) -> str:
    return case.split or "none"


def _splits(cases: Iterable[Case]) -> tuple[str, ...]:
    return tuple(sorted({_split(case) for case in cases}))
