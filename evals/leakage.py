"""What the test cases may already have shown: copies, shared groups, contradicting labels."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from doubleread.core.base import Record
from doubleread.core.case import Case

_SHOWN = 5


class Copies(Record):
    """One picture that several cases share."""

    case_id: str
    sources: tuple[str, ...]
    splits: tuple[str, ...]
    labels: tuple[str, ...]


class SharedGroup(Record):
    """A group that stands in more than one split."""

    group: str
    cases: dict[str, int]
    """Cases of the group by split."""


class LeakageReport(Record):
    """Leaks found among ``n`` cases. Pictures that merely look alike are not searched for: groups tell."""

    n: int
    splits: tuple[str, ...]
    copies: tuple[Copies, ...] = ()
    """Identical bytes in several splits."""
    shared_groups: tuple[SharedGroup, ...] = ()
    conflicts: tuple[Copies, ...] = ()
    """Identical bytes under several labels."""
    ungrouped: int = 0
    """Cases without a group: of these it is unknown."""

    @property
    def clean(self) -> bool:
        """Nothing was found; with ``ungrouped`` cases that is no proof."""
        return not (self.copies or self.shared_groups or self.conflicts)

    @property
    def known(self) -> bool:
        """Every case has a group, so that shared groups could be seen."""
        return self.ungrouped == 0

    def lines(self) -> list[str]:
        """The findings, for people."""
        return [*self._about_copies(), *self._about_groups(), *self._about_conflicts()]

    def _about_copies(self) -> list[str]:
        if not self.copies:
            return ["no identical pictures in different splits"]
        head = f"{_count(len(self.copies), 'picture')} in more than one split: figures on them are too good"
        return _list(head, [f"{_names(c.sources)}: in {', '.join(c.splits)}" for c in self.copies])

    def _about_groups(self) -> list[str]:
        if self.ungrouped == self.n:
            return ["no group key: unknown whether shots of one object stand in several splits"]
        blind = [f"{self.ungrouped} of {self.n} cases have no group: unknown for them"] if self.ungrouped else []
        if not self.shared_groups:
            return [*blind, "no group stands in more than one split"]
        head = f"{_count(len(self.shared_groups), 'group')} in more than one split: expect less on new groups"
        shares = [f"{g.group}: {', '.join(f'{n} in {s}' for s, n in g.cases.items())}" for g in self.shared_groups]
        return [*blind, *_list(head, shares)]

    def _about_conflicts(self) -> list[str]:
        if not self.conflicts:
            return []
        head = f"{_count(len(self.conflicts), 'picture')} with contradicting labels"
        return _list(head, [f"{_names(c.sources)}: {', '.join(c.labels)}" for c in self.conflicts])


def check_leakage(cases: Iterable[Case]) -> LeakageReport:
    """What these cases, each with its split, give away; cases without a split are taken as one split, ``none``."""
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
        shared_groups=tuple(
            SharedGroup(group=group, cases={name: sum(_split(c) == name for c in members) for name in _splits(members)})
            for group, members in sorted(groups.items())
            if len(_splits(members)) > 1
        ),
        conflicts=tuple(c for c in copies if len(c.labels) > 1),
        ungrouped=sum(case.group is None for case in found),
    )


def _copies(members: Sequence[Case]) -> Copies:
    return Copies(
        case_id=members[0].id,
        sources=tuple(case.source for case in members),
        splits=_splits(members),
        labels=tuple(sorted({case.label for case in members if case.label is not None})),
    )


def _split(case: Case) -> str:
    return case.split or "none"


def _splits(cases: Iterable[Case]) -> tuple[str, ...]:
    return tuple(sorted({_split(case) for case in cases}))


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _names(sources: Sequence[str]) -> str:
    return " = ".join(sources[:3]) + (" …" if len(sources) > 3 else "")


def _list(head: str, items: Sequence[str]) -> list[str]:
    rest = len(items) - _SHOWN
    return [head, *(f"  - {item}" for item in items[:_SHOWN]), *([f"  … and {rest} more"] if rest > 0 else [])]
