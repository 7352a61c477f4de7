"""A cache of embeddings on disk, so that each image is encoded only once."""

import logging
import sqlite3
import threading
import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from doubleread.core.sqlite import connect, set_aside

Key: TypeAlias = tuple[str, str]
"""Case id and view."""
Row: TypeAlias = NDArray[np.float32]
"""Shape ``(dim,)``."""

_log = logging.getLogger(__name__)
_TABLE = """
pragma synchronous=normal;
CREATE TABLE IF NOT EXISTS rows (id TEXT, view TEXT, crc INTEGER, vector BLOB, PRIMARY KEY (id, view))
"""
_IDS_AT_ONCE = 500


class EncodingCache:
    """One SQLite file per encoder in ``folder``, which several processes and threads may share.

    The cache never raises. A damaged file is moved aside and replaced; if a file cannot be used (no permission, full
    disk), nothing is cached. Both cases log a warning.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self.path = folder / f"{fingerprint}.sqlite"
        self._guard = threading.Lock()
        self._db: sqlite3.Connection | None = None
        with self._guard:
            self._open()

    def get_many(self, keys: Sequence[Key]) -> dict[Key, Row]:
        """Returns the cached rows; missing or damaged ones are left out."""
        by_view: dict[str, list[str]] = defaultdict(list)
        for case_id, view in keys:
            by_view[view].append(case_id)
        found: dict[Key, Row] = {}
        for view, ids in by_view.items():
            for start in range(0, len(ids), _IDS_AT_ONCE):
                found.update(self._select(view, ids[start : start + _IDS_AT_ONCE]))
        return found

    def put_many(self, rows: Mapping[Key, Row]) -> None:
        """Stores rows; they are on disk when it returns."""
        blobs = [(*key, np.ascontiguousarray(row, np.float32).tobytes()) for key, row in rows.items()]
        statement = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?)"
        self._run(statement, [(*row[:2], _crc(*row), row[2]) for row in blobs])

    def close(self) -> None:
        """Closes the file; from then on nothing is found or stored."""
        with self._guard:
            self._drop()

    def _select(self, view: str, ids: Sequence[str]) -> dict[Key, Row]:
        marks = ",".join("?" * len(ids))
        statement = f"SELECT id, crc, vector FROM rows WHERE view = ? AND id IN ({marks})"  # noqa: S608 (only marks)
        found = self._run(statement, [(view, *ids)])
        sound = [(i, np.frombuffer(row, np.float32)) for i, crc, row in found if _crc(i, view, row) == crc]
        return {(i, view): row for i, row in sound if np.isfinite(row).all()}

    def _run(self, statement: str, parameters: Sequence[tuple[object, ...]]) -> list[tuple[str, int, bytes]]:
        with self._guard:
            if self._db is None:
                return []
            try:
                with self._db:
                    if statement.startswith("SELECT"):
                        return self._db.execute(statement, parameters[0]).fetchall()
                    self._db.execute("BEGIN")
                    self._db.executemany(statement, parameters)
            except sqlite3.OperationalError as error:  # locked or disk full: skip the cache this time
                _log.warning("the embedding cache %s could not be used: %s", self.path, error)
            except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
                self._set_aside(error)
                self._open()
            return []

    def _open(self, *, again: bool = False) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = connect(self.path, _TABLE)
        except (sqlite3.OperationalError, OSError) as error:
            self._without(error)
        except sqlite3.DatabaseError as error:
            if again:
                self._without(error)
                return
            self._set_aside(error)
            self._open(again=True)

    def _without(self, error: Exception) -> None:
        self._drop()
        _log.warning("doing without the embedding cache %s: %s", self.path, error)

    def _set_aside(self, error: Exception) -> None:
        self._drop()
        try:
            aside = set_aside(self.path)
        except OSError as refused:
            self._without(refused)
            return
        _log.warning(
            "the embedding cache %s is damaged (%s): moved to %s, and a new one was begun", self.path, error, aside
        )

    def _drop(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None


def _crc(case_id: str, view: str, row: object) -> int:
    """Returns a checksum of a row and its key; -1, which no row has, if it is not an array of numbers."""
    if not isinstance(row, bytes) or len(row) % 4:
        return -1
    return zlib.crc32(row, zlib.crc32(f"{case_id} {view} ".encode()))
