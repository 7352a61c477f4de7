"""Decides how each case of a data set is merged into an archive.

It is a three-way merge of the data set now, the data set as it last wrote the case, and the archive. Values that did
not change in the data set keep the archive's version, so a sync never undoes a person's correction in the archive.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Literal, NamedTuple, TypeVar

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.stored import StoredCase
from doubleread.rag.stores.archive import Archive

Fate = Literal["added", "changed", "unchanged", "kept", "duplicates", "encoded", "problems"]
_T = TypeVar("_T")
_TAGS = "tags"
_SEPARATOR = re.compile(r"[,;]")


class IngestSource(Record):
    """Origin of the cases of a data set, the person responsible for their labels, and tags for all of them."""

    origin: str
    reviewer: str = ""
    tags: tuple[str, ...] = ()

    @property
    def note(self) -> str:
        """The note under which the archive records what the data set itself says."""
        return note_of(self.origin)

    def stored(self, case: Case) -> StoredCase:
        """Returns a case as it would be stored; its column ``tags`` is split at commas and semicolons."""
        own = _SEPARATOR.split(case.metadata.get(_TAGS, ""))
        rest = {name: value for name, value in case.metadata.items() if name != _TAGS}
        return StoredCase(
            case=case.model_copy(update={"metadata": rest}),
            tags=tuple(sorted({tag.strip() for tag in (*own, *self.tags)} - {""})),
            added=datetime.now(UTC),
            origin=self.origin,
            reviewer=self.reviewer,
        )


def note_of(origin: str) -> str:
    """Returns the note that marks changes made by a data set."""
    return f"data set {origin}"


class Arrival(NamedTuple):
    """How a case is counted, how it is to be written (``stored``), and whether it keeps a correction of the archive."""

    fate: Fate
    stored: StoredCase | None = None
    corrected: bool = False
    problem: str = ""


def arrivals_of(archive: Archive, given: Sequence[StoredCase], encoded: Collection[str]) -> list[Arrival]:
    """Returns the outcome for each case; an unchanged case that is not in ``encoded`` is to be encoded."""
    ids = [one.case.id for one in given]
    there = {one.case.id: one for one in archive.ledger.records(ids, removed=True)}
    told = _told(archive, there.values())
    erased = archive.past.erased(ids) - there.keys()
    found = [
        Arrival("kept") if one.case.id in erased else arrive(one, there.get(one.case.id), told.get(one.case.id))
        for one in given
    ]
    lacking = {name: one for name, one in there.items() if not one.removed and name not in encoded}
    return [
        Arrival("encoded", lacking[one.case.id])
        if one.case.id in lacking and not (arrival.stored or arrival.problem)
        else arrival
        for one, arrival in zip(given, found, strict=True)
    ]


def _told(archive: Archive, there: Iterable[StoredCase]) -> dict[str, StoredCase]:
    """Returns each case as its origin last wrote it."""
    by_origin: dict[str, list[str]] = defaultdict(list)
    for one in there:
        by_origin[one.origin].append(one.case.id)
    found: dict[str, StoredCase] = {}
    for origin, ids in by_origin.items():
        found.update(archive.past.last_under(note_of(origin), ids))
    return found


def arrive(given: StoredCase, before: StoredCase | None, told: StoredCase | None) -> Arrival:
    """``before``: the case in the archive, even if removed; ``told``: the case as its origin there last wrote it."""
    if before is None:
        return Arrival("added", given)
    if before.removed and not (told and told.removed):
        return Arrival("kept")
    if before.origin != given.origin:
        return _from_elsewhere(given, before)
    base = told or before
    if before.label != base.label and given.label not in (base.label, before.label):
        return _conflict(given, before)
    merged = _merged(base, before, given)
    if merged == before:
        return Arrival("unchanged" if merged.label == given.label else "kept")
    return Arrival("changed", merged, corrected=(merged.case, merged.tags) != (given.case, given.tags))


def _from_elsewhere(given: StoredCase, before: StoredCase) -> Arrival:
    if before.removed:
        return Arrival("changed", given)
    return _conflict(given, before) if before.label != given.label else Arrival("duplicates")


def _conflict(given: StoredCase, before: StoredCase) -> Arrival:
    whence = f" from {before.origin}" if before.origin else ""
    return Arrival(
        "problems",
        problem=f"the archive has this picture as {before.label} ({before.case.source}{whence}), here it is "
        f"{given.label}: left as it is there; relabel it there if that is wrong",
    )


def _merged(base: StoredCase, before: StoredCase, given: StoredCase) -> StoredCase:
    def pick(of: Callable[[StoredCase], _T]) -> _T:
        return of(before) if of(given) == of(base) else of(given)

    merged = ("label", "group", "split", "path", "source", "metadata")
    case = given.case.model_copy(update={name: pick(attrgetter(f"case.{name}")) for name in merged})
    same_label = case.label == before.label
    return before.model_copy(
        update={
            "case": case,
            "tags": pick(lambda one: one.tags),
            "reviewer": before.reviewer if same_label else given.reviewer,
            "removed": False,
        }
    )
