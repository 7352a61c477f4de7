"""Lists cases of an archive by label, tag, group, split and time, and finds ids by their first digits."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from doubleread.core.errors import StoreError
from doubleread.core.stored import StoredCase, Wanted
from doubleread.rag.stores.archive import Archive
from doubleread.rag.stores.ledger_file import OF_CASES

FEWEST = 6
"""Fewest digits that identify a case."""
_BEGINNING = re.compile(rf"^[0-9a-f]{{{FEWEST},64}}$")


class Listed(NamedTuple):
    """Some cases, and the total number that match."""

    cases: list[StoredCase]
    total: int


def listed(archive: Archive, wanted: Wanted, *, removed: bool = False, limit: int | None = None) -> Listed:
    """Returns up to ``limit`` matching cases, newest first; with ``removed``, only cases that are removed."""
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


def whole_ids(archive: Archive, given: Sequence[str], *, erased: bool = False) -> list[str]:
    """Returns ``whole_id`` of each, without duplicates."""
    return list(dict.fromkeys(whole_id(archive, one, erased=erased) for one in given))


def whole_id(archive: Archive, given: str, *, erased: bool = False) -> str:
    """Returns the id of a case from its first digits. Removed cases count, and with ``erased`` erased cases too.

    Raises ``StoreError`` if no id or several match.
    """
    table = "changes" if erased else "cases"
    beginning = given.strip().lower()
    if not _BEGINNING.match(beginning):
        raise StoreError(
            f"{given!r} is no case id: give {FEWEST} to 64 of its hexadecimal digits, as `doubleread cases list` shows"
        )
    query = f"select distinct id from {table} where id glob ? order by id limit 4"  # noqa: S608 - one of two tables
    found = [str(one) for (one,) in archive.file.ask(query, [f"{beginning}*"])]
    if not found:
        raise StoreError(
            f"the archive {archive.folder} has no case {given}: `doubleread cases list` shows those it has"
        )
    if len(found) > 1:
        some = ", ".join(f"{one[:16]}…" for one in found[:3])
        raise StoreError(f"several cases begin with {given} ({some}): give more digits")
    return found[0]
