"""What the commands of ``doubleread cases`` share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doubleread.core.stored import Wanted
    from doubleread.rag.stores.archive import Archive

SHOWN = 12
"""Digits of an id that tables show."""


@contextmanager
def opened(folder: Path) -> "Iterator[Archive]":
    """The archive as it lies there, by the encoder it is searched by; closed in the end."""
    from doubleread.rag.stores.archive import Archive

    with Archive.existing(folder) as archive:
        yield archive


def wanted_of(
    labels: Sequence[str] | None,
    tags: Sequence[str] | None,
    groups: Sequence[str] | None,
    splits: Sequence[str] | None,
    since: datetime | None,
    until: datetime | None,
) -> "Wanted":
    """What the filters of a command ask for."""
    from doubleread.core.stored import Wanted

    names = {"labels": labels, "tags": tags, "groups": groups, "splits": splits}
    return Wanted(**{key: frozenset(value or ()) for key, value in names.items()}, since=since, until=until)
