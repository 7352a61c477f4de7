"""Manual corrections, undo and restore. Each is recorded as a new change, so no history is lost."""

from collections.abc import Sequence
from typing import NamedTuple

from doubleread.core.errors import StoreError
from doubleread.core.label_text import normal
from doubleread.core.stored import StoredCase, Version
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.ledger import CaseEvent
from doubleread.rag.stores.transaction import marks


def relabel(archive: Archive, case_id: str, label: str, *, reviewer: str = "", note: str = "") -> StoredCase:
    """Relabels a case and returns it as it was; writes nothing if the label is the same.

    Raises ``StoreError`` for an empty label and a case that is missing or removed.
    """
    label = normal(label)
    if not label:
        raise StoreError("a label cannot be empty: give the name of a label")
    (before,) = _there(archive, [case_id])
    if before.label != label:
        case = before.case.model_copy(update={"label": label})
        after = before.model_copy(update={"case": case, "reviewer": reviewer or before.reviewer})
        archive.write([CaseEvent("relabelled", after, reviewer, note)])
    return before


def tag(archive: Archive, ids: Sequence[str], *, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
    """Returns the number of changed cases. Raises ``StoreError`` for an empty tag and a missing or removed case."""
    if any(not one.strip() for one in (*add, *remove)):
        raise StoreError("a tag cannot be empty: give a word")
    events = []
    for before in _there(archive, ids):
        kept = [one for one in before.tags if one not in remove]
        tags = tuple(dict.fromkeys([*kept, *(one for one in add if one not in remove)]))
        if tags != before.tags:
            events.append(CaseEvent("described", before.model_copy(update={"tags": tags})))
    archive.write(events)
    return len(events)


def _there(archive: Archive, ids: Sequence[str]) -> list[StoredCase]:
    found = archive.get(ids)
    missing = set(ids) - {one.case.id for one in found}
    if missing:
        some = ", ".join(one[:12] for one in sorted(missing)[:3])
        raise StoreError(f"removed, or not there: {some}; bring a removed case back with `doubleread cases undo`")
    return found


class UndoneChange(NamedTuple):
    """A change that was undone."""

    what: str
    before: StoredCase
    after: StoredCase


class Restored(NamedTuple):
    """The result of a restore."""

    version: Version
    changed: int
    erased: int
    """Cases of that version that have been erased since; they are not restored."""


def undo(archive: Archive, case_id: str | None = None, *, reviewer: str = "", note: str = "") -> UndoneChange:
    """Undoes the last change of a case; without an id, of the case that changed last.

    Raises ``StoreError`` if nothing has changed yet and for an erased case.
    """
    where, values = ("where id = ?", [case_id]) if case_id else ("", [])
    last = archive.file.ask(f"select id, what from changes {where} order by seq desc limit 1", values)  # noqa: S608
    if not last:
        raise StoreError(f"nothing has changed in the archive {archive.folder}: there is nothing to take back")
    one, what = last[0]
    states = archive.file.ask("select seq, record is null from changes where id = ? order by seq desc limit 2", [one])
    if what == "erased" or states[0][1]:
        raise StoreError(f"case {one[:12]} was erased for good: add it again from its picture")
    kept = [seq for seq, wiped in states if not wiped]
    now, *earlier = archive.file.records(f"from changes h where h.seq in ({marks(kept)}) order by h.seq desc", kept)
    then = earlier[0] if earlier else now.model_copy(update={"removed": True})
    event = toward(now, then, reviewer, note or f"took back: {what}")
    if event is None:
        raise StoreError(
            f"the last change of case {one[:12]} moved nothing but its file: there is nothing to take back"
        )
    archive.write([event])
    return UndoneChange(what, now, event.stored)


def restore(archive: Archive, name: str, *, reviewer: str = "") -> Restored:
    """Restores every case to a snapshot or version, such as ``v120-3f9a0c11d2e4`` or ``v120``.

    Labels, groups, splits, tags, metadata and removals are restored, and cases added since are removed. Image paths
    stay. Raises ``StoreError`` for an unknown name.
    """
    version = version_named(archive, name)
    then, now = archive.past.at(version), {one.case.id: one for one in archive.ledger.records(removed=True)}
    told = f"back to {name}"
    events = [
        toward(one, then.get(case_id, one.model_copy(update={"removed": True})), reviewer, told)
        for case_id, one in now.items()
    ]
    wanted = [event for event in events if event is not None]
    archive.write(wanted)
    ((erased,),) = archive.file.ask(
        "select count(distinct id) from changes where what = 'erased' and seq > ? and id in "
        "(select id from changes where seq <= ?)",
        [version.seq, version.seq],
    )
    return Restored(version, len(wanted), int(erased))


def version_named(archive: Archive, name: str) -> Version:
    """Returns the version of a snapshot's name, or of ``v`` and a number, with or without the digest."""
    for made in archive.past.snapshots():
        if made.name == name:
            return made.version
    number, _, digest = name.removeprefix("v").partition("-")
    if name.startswith("v") and number.isascii() and number.isdigit() and len(number) < 19:
        for seq, told in archive.file.ask("select seq, digest from changes where seq = ?", [int(number)]):
            if str(told).startswith(digest):
                return Version(seq=seq, digest=told)
    names = ", ".join(one.name for one in archive.past.snapshots()) or "none"
    raise StoreError(
        f"the archive {archive.folder} has no snapshot or version {name!r}; snapshots: {names}; it is now "
        f"{archive.version()}"
    )


def toward(now: StoredCase, then: StoredCase, reviewer: str = "", note: str = "") -> CaseEvent | None:
    """Returns the change that turns ``now`` into ``then``, except for the image path; None if nothing differs."""
    where = {"path": now.case.path, "source": now.case.source}
    after = then.model_copy(update={"case": then.case.model_copy(update=where)})
    if after == now:
        return None
    if after.removed != now.removed:
        return CaseEvent("removed" if after.removed else "restored", after, reviewer, note)
    return CaseEvent("relabelled" if after.label != now.label else "described", after, reviewer, note)
