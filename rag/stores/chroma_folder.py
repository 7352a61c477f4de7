"""Looks at a folder before Chroma does: Chroma would quietly begin a new store where an old one lost its file."""

import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

from doubleread.core.errors import StoreError
from doubleread.rag.stores.lock import LOCK_NAME

DATABASE = "chroma.sqlite3"
_MAGIC = b"SQLite format 3\0"


def is_new(folder: Path) -> bool:
    """True where a store may be begun, False where one is; touches nothing.

    Raises ``StoreError`` for a folder of something else and for a store whose database is missing or damaged.
    """
    if not folder.exists():
        return True
    if not folder.is_dir():
        raise StoreError(f"{folder} is a file; a case store is a folder: name another place")
    if (folder / DATABASE).is_file():
        _check_database(folder / DATABASE)
        return False
    others = sorted({entry.name for entry in folder.iterdir()} - {LOCK_NAME})
    if others:
        raise StoreError(
            f"{folder} holds {', '.join(others[:4])} but no {DATABASE}: it is no case store, or its database was lost. "
            "Name an empty folder, or restore the database"
        )
    return True


def _check_database(path: Path) -> None:
    try:
        with path.open("rb") as file:
            begin = file.read(len(_MAGIC))
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}): check its permissions") from None
    if begin != _MAGIC:
        what = "empty" if not begin else f"no SQLite database (it begins with {begin[:8]!r})"
        raise _damaged(path, what)
    problem = _problem(path)
    if problem:
        raise _damaged(path, problem)


def _problem(path: Path) -> str:
    db = sqlite3.connect(f"file:{quote(os.fspath(path))}?mode=ro", uri=True, timeout=1)
    try:
        db.execute("SELECT count(*) FROM collections").fetchone()
        answer = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
        return "" if answer == "ok" else f"damaged ({answer})"
    except sqlite3.OperationalError as error:  # locked by its writer, whom the file lock will name
        return f"not Chroma's ({error})" if "no such table" in str(error) else ""
    except sqlite3.DatabaseError as error:
        return f"damaged ({error})"
    finally:
        db.close()


def _damaged(path: Path, what: str) -> StoreError:
    return StoreError(f"{path} is {what}: restore it from a copy, or build the store anew in another folder")
