"""Files that appear whole or not at all, and what a full disk says."""

import errno
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from doubleread.core.errors import DataError
from doubleread.core.safe_files import open_regular

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_room(folder: Path, needed: int) -> None:
    """Raises ``DataError`` where the disk has fewer bytes left than are needed."""
    if (free := shutil.disk_usage(folder).free) < needed:
        raise DataError(
            f"{folder} has {free:,} bytes left and {needed:,} are needed; free some space, or choose another -o"
        )


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns a full disk into a ``DataError``; every other failure passes."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DataError(f"the disk is full, at {path}: free some space and run the command again to resume") from None
