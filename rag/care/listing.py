"""Which cases an archive holds, by label, tag, group, split and time; nothing but the page asked for is read."""

from typing import NamedTuple

from doubleread.core.stored import StoredCase, Wanted
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.ledger_file import OF_CASES


class Listed(NamedTuple):
    """Some cases, and how many there are in all that were asked for."""

    cases: list[StoredCase]
    total: int


def listed(archive: Archive, wanted: Wanted, *, removed: bool = False, limit: int | None = None) -> Listed:
    """The cases asked for, newest first, at most ``limit``; ``removed``: those that are, instead of those that can
    be found."""
    where, values = _where(wanted, removed)
    ((total,),) = archive.file.ask(f"select count(*) from cases c where {where}", values)  # noqa: S608 - marks only
    found = archive.file.records(
        f"{OF_CASES} where {where} order by c.added desc, c.id limit ?", [*values, -1 if limit is None else limit]
    )
    return Listed(found, int(total))


def _where(wanted: Wanted, removed: bool) -> tuple[str, list[object]]:
    parts = ["c.removed = ?"]
    given: list[object] = [removed]
    for column, names in (("label", wanted.labels), ("grp", wanted.groups), ("split", wanted.splits)):
        if names:
            parts.append(f"c.{column} in ({','.join('?' * len(names))})")
            given += sorted(names)
    for tag in sorted(wanted.tags):
        parts.append("exists (select 1 from json_each(c.tags) where value = ?)")
        given.append(tag)
    for sign, when in ((">=", wanted.since), ("<", wanted.until)):
        if when is not None:
            parts.append(f"c.added {sign} ?")
            given.append(when.timestamp())
    return " and ".join(parts), given
