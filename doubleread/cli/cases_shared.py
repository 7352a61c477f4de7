"""Shared by the commands of ``doubleread cases``."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doubleread.rag.stores.archive import Archive

SHOWN = 12
"""Characters of a case id shown in tables."""


@contextmanager
def opened(folder: Path) -> "Iterator[Archive]":
    """Opens the archive with the encoder that it is searched by, and closes it afterwards."""
    from doubleread.rag.stores.archive import Archive

    with Archive.existing(folder) as archive:
        yield archive
