"""What the test cases may already have shown: copies, near copies, shared groups, contradicting labels."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.rag.near_copies.near_duplicates import NearDuplicates

_SHOWN = 5
_NO_SPLIT = "none"


class Copies(Record):
    """One picture that several cases share."""

    case_id: str
    sources: tuple[str, ...]
    splits: tuple[str, ...]
    labels: tuple[str, ...]


class NearCopy(Record):
    """Two pictures that are nearly the same, though their files differ."""

    case_ids: tuple[str, str]
    sources: tuple[str, str]
    splits: tuple[str, ...]
    labels: tuple[str, ...]
    similarity: float
    """Cosine of the embeddings."""
    distance: int
    """Fewest bits in which the perceptual hashes differ in a flip or quarter turn, of 64."""
    agreement: float
    """Agreement of the details after one picture is laid over the other, at most 1."""


class SharedGroup(Record):
    """A group that stands in more than one split."""

    group: str
    cases: dict[str, int]
    """Cases of the group by split."""


class LeakageReport(Record):
    """Leaks found among ``n`` cases. Other shots of one object are no copies: only groups tell of them."""

    n: int
    splits: tuple[str, ...]
    copies: tuple[Copies, ...] = ()
    """Identical bytes in several splits; where there are no splits, all identical bytes."""
    near_copies: tuple[NearCopy, ...] | None = None
    """Near copies across splits or under several labels, closest first; None where they were not searched for.

    Where there are no splits, all near copies.
    """
    shared_groups: tuple[SharedGroup, ...] = ()
    conflicts: tuple[Copies, ...] = ()
    """Identical bytes under several labels."""
    ungrouped: int = 0
    """Cases without a group: of these it is unknown."""

    @property
    def has_splits(self) -> bool:
        """Whether some case has a split."""
        return any(name != _NO_SPLIT for name in self.splits)

    @property
    def clean(self) -> bool:
        """Nothing was found; with ``ungrouped`` cases that is no proof."""
        return not (self.copies or self.near_copies or self.shared_groups or self.conflicts)

    @property
    def known(self) -> bool:
        """Every case has a group, so that shared groups could be seen."""
        return self.ungrouped == 0

    def lines(self) -> list[str]:
        """The findings, for people."""
        unsplit = (
            []
            if self.has_splits
            else ["the data have no splits; copies are listed, since every split must keep them together"]
        )
        return [*unsplit, *self._about_copies(), *self._about_near(), *self._about_groups(), *self._about_conflicts()]

    def _about_copies(self) -> list[str]:
        if not self.copies:
            return ["no identical pictures" + (" in different splits" if self.has_splits else "")]
        found = _count(len(self.copies), "picture")
        if not self.has_splits:
            return _list(f"{found} stored more than once", [_names(c.sources) for c in self.copies])
        head = f"{found} in more than one split, so the measured accuracy will be too high"
        return _list(head, [f"{_names(c.sources)}: in {', '.join(c.splits)}" for c in self.copies])

    def _about_near(self) -> list[str]:
        if self.near_copies is None:
            return []
        if not self.has_splits:
            return self._about_near_anywhere(self.near_copies)
        across = [near for near in self.near_copies if len(near.splits) > 1]
        if not across:
            return ["no nearly identical pictures in different splits"]
        head = f"{_count(len(across), 'pair')} of nearly identical pictures in different splits"
        return _list(head, [f"{_names(n.sources, '≈')}: in {', '.join(n.splits)} ({_nearness(n)})" for n in across])

    def _about_near_anywhere(self, found: Sequence[NearCopy]) -> list[str]:
        if not found:
            return ["no nearly identical pictures"]
        head = f"{_count(len(found), 'pair')} of nearly identical pictures"
        return _list(head, [f"{_names(n.sources, '≈')} ({_nearness(n)})" for n in found])

    def _about_groups(self) -> list[str]:
        if self.ungrouped == self.n:
            return ["no groups given (`--group`): images of one object may be in both training and test data"]
        blind = (
            [f"{self.ungrouped} of {self.n} cases have no group, so they could not be checked for shared groups"]
            if self.ungrouped
            else []
        )
        if not self.has_splits:
            return blind
        if not self.shared_groups:
            return [*blind, "no group is in more than one split"]
        head = (
            f"{_count(len(self.shared_groups), 'group')} in more than one split: accuracy on new groups will be "
            "lower than measured"
        )
        shares = [f"{g.group}: {', '.join(f'{n} in {s}' for s, n in g.cases.items())}" for g in self.shared_groups]
        return [*blind, *_list(head, shares)]

    def _about_conflicts(self) -> list[str]:
        lines: list[str] = []
        if self.conflicts:
            head = f"{_count(len(self.conflicts), 'picture')} with contradicting labels"
            lines += _list(head, [f"{_names(c.sources)}: {', '.join(c.labels)}" for c in self.conflicts])
        near = [n for n in self.near_copies or () if len(n.labels) > 1]
        if near:
            head = f"{_count(len(near), 'pair')} of nearly identical pictures with contradicting labels"
            shown = [f"{_names(n.sources, '≈')}: {', '.join(n.labels)} ({_nearness(n)})" for n in near]
            lines += _list(head, shown)
        return lines


def check_leakage(
    cases: Iterable[Case], near: NearDuplicates | None = None, repeated: Iterable[Case] = ()
) -> LeakageReport:
    """What these cases, each with its split, give away; cases without a split are taken as one split, ``none``.

    ``near`` holds the near copies among them, by position; ``repeated`` are further cases with the bytes of one.
    """
    found = list(cases)
    unsplit = all(case.split is None for case in found)
    same: dict[str, list[Case]] = defaultdict(list)
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in found:
        if case.group is not None:
            groups[case.group].append(case)
    for case in (*found, *repeated):
        same[case.id].append(case)
    copies = [_copies(members) for members in same.values() if len(members) > 1]
    return LeakageReport(
        n=len(found),
        splits=_splits(found),
        copies=tuple(c for c in copies if unsplit or len(c.splits) > 1),
        near_copies=None if near is None else _near_copies(found, near, unsplit),
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


def _near_copies(cases: Sequence[Case], near: NearDuplicates, unsplit: bool) -> tuple[NearCopy, ...]:
    """The pairs that matter: of different files, and in different splits, without splits, or under different labels."""
    pairs = [(cases[pair.first], cases[pair.second], pair) for pair in near.pairs]
    found = [
        NearCopy(
            case_ids=(a.id, b.id),
            sources=(a.source, b.source),
            splits=_splits((a, b)),
            labels=_labels((a, b)),
            similarity=pair.similarity,
            distance=pair.distance,
            agreement=pair.agreement,
        )
        for a, b, pair in pairs
        if a.id != b.id
    ]
    telling = [one for one in found if unsplit or len(one.splits) > 1 or len(one.labels) > 1]
    return tuple(sorted(telling, key=lambda one: -one.agreement))


def _labels(cases: Iterable[Case]) -> tuple[str, ...]:
    return tuple(sorted({case.label for case in cases if case.label is not None}))


def _split(case: Case) -> str:
    return case.split or _NO_SPLIT


def _splits(cases: Iterable[Case]) -> tuple[str, ...]:
    return tuple(sorted({_split(case) for case in cases}))


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _names(sources: Sequence[str], sign: str = "=") -> str:
    return f" {sign} ".join(sources[:3]) + (" …" if len(sources) > 3 else "")


def _nearness(near: NearCopy) -> str:
    return f"agreement {near.agreement:.2f}"


def _list(head: str, items: Sequence[str]) -> list[str]:
    rest = len(items) - _SHOWN
    return [head, *(f"  - {item}" for item in items[:_SHOWN]), *([f"  … and {rest} more"] if rest > 0 else [])]
