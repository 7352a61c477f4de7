"""The folder of an archive: checks its contents, creates the archive, and wipes its indexes."""

import os
import shutil
import sqlite3
import stat
import time
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

from doubleread.core.durable import sync_folder
from doubleread.core.errors import StoreBusy, StoreError
from doubleread.core.folder_lock import LOCK_NAME, FolderLock
from doubleread.rag.stores._schema import SCHEMA, TABLES
from doubleread.rag.stores.seal import ArchiveSeal, write_seal

FILE = "archive.sqlite3"
_BESIDE = ("", "-wal", "-shm", "-journal")


def check_folder(folder: Path) -> bool:
    """Returns True if an archive may be created here, False if there is one; changes nothing.

    Raises ``StoreError`` for a file, a folder with other contents, and an archive whose file is lost or damaged.
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
            return True  # a process was killed before it wrote anything
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
    """Returns the error for a file that was changed by another program."""
    return StoreError(
        f"{path} is damaged, or was changed by something other than doubleread: {what}. "
        f"`doubleread cases audit {path.parent}` lists what is wrong; restore it from a backup"
    )


def size_of(path: Path) -> int:
    """Returns the size in bytes; 0 if there is no such file."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def begin(folder: Path, name: str) -> None:
    """Creates folder and file, unless another process just did. Raises ``sqlite3.Error`` and ``OSError``."""
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    draft, path = folder / f".{name}.{uuid4().hex}", folder / name
    try:
        _write(draft)
        if path.exists() and not path.stat().st_size:  # an older version was killed before it wrote anything
            for file in folder.glob(f"{name}*"):
                file.unlink(missing_ok=True)
        with suppress(FileExistsError):
            _place(draft, path)
        sync_folder(folder)
        clear(folder, name)
    except sqlite3.Error:  # another process has created the file and removed this draft
        if not path.exists():
            raise
    finally:
        draft.unlink(missing_ok=True)
        if new:
            with suppress(OSError):  # not empty: an archive was created
                folder.rmdir()


def clear(folder: Path, name: str) -> None:
    """Removes the drafts of killed processes. Once the file exists, a draft being written is not needed either."""
    for left in folder.glob(f".{name}.*"):
        left.unlink(missing_ok=True)


def _write(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"pragma journal_mode=off; pragma synchronous=full; begin; {TABLES}")
        about = (("schema", str(SCHEMA)), ("id", uuid4().hex), ("created", time.strftime("%F %T")))
        db.executemany("insert into about values (?,?)", about)
        write_seal(db, ArchiveSeal())
        db.execute("commit")
        db.execute("pragma journal_mode=wal")  # under the final name, a killed process would leave a journal


def _place(draft: Path, path: Path) -> None:
    """Moves the draft to its name. Raises ``FileExistsError`` if the name is taken."""
    try:
        os.link(draft, path)
    except FileNotFoundError:
        if not path.exists():  # another process has created the archive and cleaned up
            raise
    except FileExistsError:
        raise
    except OSError:  # a disk without hard links
        if path.exists():
            raise FileExistsError(path) from None
        draft.rename(path)


def wipe_indexes(root: Path) -> bool:
    """Wipes the index of every encoder in ``root``; False if another process holds one. Links are not followed."""
    return root.is_symlink() or not [folder for folder in root.glob("*") if not wipe_index(folder)]


def wipe_index(folder: Path) -> bool:
    """Wipes one index, if there is one; False if another process holds it."""
    if folder.is_symlink() or not folder.is_dir():
        return True
    try:
        lock = FolderLock(folder, shared=False)
    except StoreBusy:
        return False
    try:
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != LOCK_NAME:
                entry.unlink()
    finally:
        lock.release()
    return True
