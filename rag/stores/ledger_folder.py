"""The folder of an archive: whether it holds one, and nothing that an archive has not."""

import os
import stat
from pathlib import Path

from doubleread.core.errors import StoreError

FILE = "archive.sqlite3"
_BESIDE = ("", "-wal", "-shm", "-journal")


def check_folder(folder: Path) -> bool:
    """True where an archive may be begun, False where one is; touches nothing.

    Raises ``StoreError`` for a file, a folder of something else, and an archive whose file is lost or damaged.
    """
    if not folder.exists():
        return True
    if not folder.is_dir():
        raise StoreError(f"{folder} is a file; an archive is a folder: name another place")
    path = folder / FILE
    _check_files(folder)
    others = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith(f".{FILE}"))
    if path.exists():
        with path.open("rb") as file:
            begin = file.read(16)
        if not begin and all(name.startswith(FILE) for name in others):
            return True  # a process was killed before anything was in it
        if begin != b"SQLite format 3\0":
            what = "empty" if not begin else f"no SQLite database (it begins with {begin[:8]!r})"
            raise StoreError(f"{path} is {what}: restore it from a backup")
        return False
    if others:
        raise StoreError(
            f"{folder} holds {', '.join(others[:4])} but no {FILE}: it is no archive, or its file was lost. "
            "Name an empty folder, or restore the file from a backup"
        )
    return True


def _check_files(folder: Path) -> None:
    for name in (FILE + end for end in _BESIDE):
        if os.path.lexists(folder / name) and not stat.S_ISREG((folder / name).lstat().st_mode):
            raise StoreError(f"{folder / name} is a link or no regular file: an archive's file lies in its folder")
    if size_of(folder / f"{FILE}-journal"):
        raise StoreError(
            f"{folder / FILE}-journal is no part of an archive: remove it, or restore the folder from a backup"
        )


def damaged(path: Path, what: str) -> StoreError:
    """What to say of a file that is not as doubleread left it."""
    return StoreError(
        f"{path} is damaged, or was changed by something other than doubleread: {what}. "
        f"`doubleread cases audit {path.parent}` lists what is wrong; restore it from a backup"
    )


def size_of(path: Path) -> int:
    """In bytes; 0 where there is no such file."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
