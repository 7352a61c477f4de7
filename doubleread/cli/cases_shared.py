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


def archive_of(folder: Path) -> Path:
    """Returns the archive folder; a panel keeps its archive inside its own folder."""
    from doubleread.panel.trust_folder import MARK

    return folder / "store" if (folder / MARK).is_file() else folder
