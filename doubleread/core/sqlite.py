"""SQLite files that several processes share: waits for locks and moves damaged files aside."""

import sqlite3
import time
from pathlib import Path

PATIENCE_S = 30.0


def connect(path: Path, schema: str) -> sqlite3.Connection:
    """Opens a file with these tables in write-ahead mode; commits are on disk, unless ``schema`` says otherwise.

    Raises ``sqlite3.DatabaseError`` if it cannot be used or holds triggers or views, which could run foreign code.
    """
    if path.exists() and not path.is_file():
        raise sqlite3.OperationalError(f"{path} is not a regular file")
    db = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            _check(db)
            db.executescript(f"pragma journal_mode=wal; pragma synchronous=full; {schema}")
        except sqlite3.OperationalError as error:
            # Changing the journal mode fails at once, without waiting, if another process is changing it.
            if "locked" in str(error) and time.monotonic() < until:
                time.sleep(0.05)
                continue
            db.close()
            raise
        except UnicodeDecodeError:  # raised for SQLite's error message, which quotes the file
            db.close()
            raise sqlite3.DatabaseError("its list of tables is malformed") from None
        except sqlite3.DatabaseError:
            db.close()
            raise
        return db


def _check(db: sqlite3.Connection) -> None:
    db.execute("pragma trusted_schema=off")
    if db.execute("select 1 from sqlite_master where type in ('trigger', 'view')").fetchone():
        raise sqlite3.DatabaseError("it holds triggers or views, which doubleread does not make")


def set_aside(path: Path) -> Path:
    """Renames a damaged file and its companions; returns the new name."""
    aside = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
    for suffix in ("", "-wal", "-shm"):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.replace(aside.with_name(aside.name + suffix))
    return aside
