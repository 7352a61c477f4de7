"""What the commands of ``doubleread cases`` share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doubleread.rag.stores.archive import Archive

SHOWN = 12
"""Digits of an id that tables show."""


@contextmanager
def opened(folder: Path) -> "Iterator[Archive]":
    """The archive as it lies there, by the encoder it is searched by; closed in the end."""
    from doubleread.rag.stores.archive import Archive

    with Archive.existing(folder) as archive:
        yield archive
