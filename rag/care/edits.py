"""Corrections by hand: another label, other tags, a case that should not be found, a case that must be gone."""

from collections.abc import Sequence

from doubleread.core.errors import StoreError
from doubleread.core.stored import StoredCase
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.ledger import Event


def relabel(archive: Archive, case_id: str, label: str, *, reviewer: str = "", note: str = "") -> StoredCase:
    """The case before; nothing is written where it has that label already.

    Raises ``StoreError`` for an empty label and a case that is not there or is removed.
    """
    if not label.strip():
        raise StoreError("a label cannot be empty: give the name of a label")
    (before,) = _there(archive, [case_id])
    if before.label != label:
        case = before.case.model_copy(update={"label": label})
        after = before.model_copy(update={"case": case, "reviewer": reviewer or before.reviewer})
        archive.write([Event("relabelled", after, reviewer, note)])
    return before


def tag(archive: Archive, ids: Sequence[str], *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
    """How many cases changed. Raises ``StoreError`` for an empty tag and a case that is not there or is removed."""
    if any(not one.strip() for one in (*add, *remove)):
        raise StoreError("a tag cannot be empty: give a word")
    events = []
    for before in _there(archive, ids):
        kept = [one for one in before.tags if one not in remove]
        tags = tuple(dict.fromkeys([*kept, *(one for one in add if one not in remove)]))
        if tags != before.tags:
            events.append(Event("described", before.model_copy(update={"tags": tags})))
    archive.write(events)
    return len(events)


def _there(archive: Archive, ids: Sequence[str]) -> list[StoredCase]:
    found = archive.get(ids)
    missing = set(ids) - {one.case.id for one in found}
    if missing:
        some = ", ".join(one[:12] for one in sorted(missing)[:3])
        raise StoreError(f"removed, or not there: {some}; bring a removed case back with `doubleread cases undo`")
    return found
