"""What a leakage check found, as figures and as lines for people."""

from collections.abc import Sequence

from doubleread.core.base import Record

_SHOWN = 5


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
    """Bits in which the perceptual hashes differ, of 64."""


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
    """Identical bytes in several splits."""
    near_copies: tuple[NearCopy, ...] | None = None
    """Near copies across splits or under several labels, closest first; None where they were not searched for."""
    shared_groups: tuple[SharedGroup, ...] = ()
    conflicts: tuple[Copies, ...] = ()
    """Identical bytes under several labels."""
    ungrouped: int = 0
    """Cases without a group: of these it is unknown."""

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
        return [*self._about_copies(), *self._about_near(), *self._about_groups(), *self._about_conflicts()]

    def _about_copies(self) -> list[str]:
        if not self.copies:
            return ["no identical pictures in different splits"]
        head = f"{_count(len(self.copies), 'picture')} in more than one split: figures on them are too good"
        return _list(head, [f"{_names(c.sources)}: in {', '.join(c.splits)}" for c in self.copies])

    def _about_near(self) -> list[str]:
        if self.near_copies is None:
            return []
        across = [near for near in self.near_copies if len(near.splits) > 1]
        if not across:
            return ["no nearly identical pictures in different splits"]
        head = f"{_count(len(across), 'pair')} of nearly identical pictures in different splits"
        return _list(head, [f"{_names(n.sources, '≈')}: in {', '.join(n.splits)} ({_nearness(n)})" for n in across])

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


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _names(sources: Sequence[str], sign: str = "=") -> str:
    return f" {sign} ".join(sources[:3]) + (" …" if len(sources) > 3 else "")


def _nearness(near: NearCopy) -> str:
    return f"similarity {near.similarity:.3f}, {near.distance} of 64 bits apart"


def _list(head: str, items: Sequence[str]) -> list[str]:
    rest = len(items) - _SHOWN
    return [head, *(f"  - {item}" for item in items[:_SHOWN]), *([f"  … and {rest} more"] if rest > 0 else [])]
