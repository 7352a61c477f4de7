"""The file of a new archive: it appears under its name with all its tables, or not at all."""

import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from uuid import uuid4

from doubleread.core.durable import sync_folder
from doubleread.rag.stores.schema import SCHEMA, TABLES
from doubleread.rag.stores.seal import Seal, write_seal


def begin(folder: Path, name: str) -> None:
    """Makes folder and file, unless another process has just made it. Raises ``sqlite3.Error`` and ``OSError``."""
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    draft, path = folder / f".{name}.{uuid4().hex}", folder / name
    try:
        _write(draft)
        if path.exists() and not path.stat().st_size:
            _clear(folder, name)
        with suppress(FileExistsError):
            _place(draft, path)
        sync_folder(folder)
        clear(folder, name)
    except sqlite3.Error:  # another process has made the file meanwhile, and cleared this draft away
        if not path.exists():
            raise
    finally:
        draft.unlink(missing_ok=True)
        if new:
            with suppress(OSError):  # not empty: it is an archive now
                folder.rmdir()


def clear(folder: Path, name: str) -> None:
    """Removes the drafts of killed processes; one that is being written is not needed where the file is there."""
    for left in folder.glob(f".{name}.*"):
        left.unlink(missing_ok=True)


def _write(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"pragma journal_mode=off; pragma synchronous=full; begin; {TABLES}")
        about = (("schema", str(SCHEMA)), ("id", uuid4().hex), ("created", time.strftime("%F %T")))
        db.executemany("insert into about values (?,?)", about)
        write_seal(db, Seal())
        db.execute("commit")
        db.execute("pragma journal_mode=wal")  # under its own name this would leave a journal if it were killed


def _place(draft: Path, path: Path) -> None:
    """Raises ``FileExistsError`` where the name is taken."""
    try:
        os.link(draft, path)
    except FileNotFoundError:
        if not path.exists():  # another process has begun the archive and cleared up
            raise
    except FileExistsError:
        raise
    except OSError:  # a disk without hard links
        if path.exists():
            raise FileExistsError(path) from None
        draft.rename(path)


def _clear(folder: Path, name: str) -> None:
    """What an older doubleread left that was killed before anything was in the file."""
    for file in folder.glob(f"{name}*"):
        file.unlink(missing_ok=True)
