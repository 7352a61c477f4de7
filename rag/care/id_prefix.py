"""Cases by the beginning of their id, as people type it."""

import re
from collections.abc import Sequence

from doubleread.core.errors import StoreError
from doubleread.rag.stores.archive import Archive

FEWEST = 6
"""Digits that a beginning needs."""
_BEGINNING = re.compile(rf"^[0-9a-f]{{{FEWEST},64}}$")


def whole_ids(archive: Archive, given: Sequence[str]) -> list[str]:
    """The ids of cases that are there, removed or not. Raises ``StoreError`` for none, or several, of a beginning."""
    return list(dict.fromkeys(_whole(archive, "cases", one) for one in given))


def whole_id(archive: Archive, given: str) -> str:
    """The id of one case that is there, removed or not. Raises ``StoreError``."""
    return _whole(archive, "cases", given)


def remembered_id(archive: Archive, given: str) -> str:
    """The id of a case that is or once was there, also an erased one. Raises ``StoreError``."""
    return _whole(archive, "changes", given)


def remembered_ids(archive: Archive, given: Sequence[str]) -> list[str]:
    """The ids of cases that are or once were there, also erased ones. Raises ``StoreError``."""
    return list(dict.fromkeys(_whole(archive, "changes", one) for one in given))


def _whole(archive: Archive, table: str, given: str) -> str:
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
