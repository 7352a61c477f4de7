"""The index of an archive: Chroma in a sub-folder, made from the ledger and made again whenever it is in doubt.

It belongs to the one process that holds its lock; others search exactly, in memory. A mark beside it says up to where
the ledger is in it, of which encoder and since which erasure, and what its files looked like when it was closed. An
index of anything else is thrown away. One whose files do not fit was left in haste: it is tried in a process of its
own, since a damaged one can take the process down.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from doubleread.core.errors import StoreBusy, StoreError
from doubleread.core.types import Embeddings
from doubleread.rag.stores.chroma import BATCH, Chroma, mapped
from doubleread.rag.stores.lock import FolderLock
from doubleread.rag.stores.rows import differs

_NAME = "cases"
_MARK = "built.json"
_DATA = "chroma"
_TRIAL_S = 120.0

Rows = tuple[list[int], list[str], Embeddings]
"""Stamps, ids and embeddings, in the order of their stamps."""


class Index:
    """Nearest cases by Chroma. ``after(stamp, most)`` reads the ledger's rows; ``open`` gives None to all but one."""

    def __init__(self, folder: Path, of: str, lock: FolderLock, after: Callable[[int, int], Rows]) -> None:
        self.folder, self._of, self._lock, self._after = folder, of, lock, after
        self.upto, self._rows = 0, 0
        self._chroma: Chroma | None = None
        self._cases: Any = None

    @classmethod
    def open(cls, folder: Path, of: str, after: Callable[[int, int], Rows]) -> Self | None:
        """The index ``of`` something, as far as it was built; None where another process holds it or nothing can be
        written."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = FolderLock(folder, shared=False)
        except (StoreBusy, StoreError, OSError):
            return None
        index = cls(folder, of, lock, after)
        try:
            index._start()
        except BaseException:
            lock.release()
            raise
        return index

    def catch_up(self, most: int) -> None:
        """Adds what the ledger has and the index has not, at most so many rows of it."""
        while most > 0:
            stamps, ids, rows = self._after(self.upto, min(most, BATCH))
            if not ids:
                return
            most -= len(ids)
            with mapped("write", str(self.folder)):
                _write(self._cases, ids, rows)
            self.upto = stamps[-1]
            self._sign(None)

    def nearest(self, query: Embeddings, n: int) -> list[tuple[str, float]]:
        """Ids and cosine similarities of about the ``n`` nearest rows to a query ``(dim,)``; none once it is closed."""
        try:
            with mapped("search", str(self.folder)):
                found = self._cases.query(query_embeddings=query[None], n_results=n, include=["distances"])
        except StoreError:
            if self._chroma is None:
                return []
            raise
        return [(one, 1.0 - float(d)) for one, d in zip(found["ids"][0], found["distances"][0], strict=True)]

    def count(self) -> int:
        """Rows in it."""
        with mapped("read", str(self.folder)):
            return int(self._cases.count())

    def close(self) -> None:
        """Marks it as closed in order and lets go; a second call does nothing."""
        if self._chroma is None:
            return
        rows = self.count()
        self._shut()
        self._rows = rows
        self._sign(_files(self.folder / _DATA))
        self._lock.release()

    def _start(self) -> None:
        mark, data = _read(self.folder / _MARK), self.folder / _DATA
        if mark is None or mark["of"] != self._of or not (mark["files"] == _files(data) or self._survives(data)):
            mark = self._anew()
        self._open(data)
        if self.count() < mark["rows"]:
            self._shut()
            mark = self._anew()
            self._open(data)
        self.upto, self._rows = mark["upto"], mark["rows"]
        self._sign(None)

    def _anew(self) -> dict[str, Any]:
        shutil.rmtree(self.folder / _DATA, ignore_errors=True)
        return {"upto": 0, "rows": 0}

    def _sign(self, files: dict[str, list[int]] | None) -> None:
        """Writes the mark; without ``files`` it is that of an index in use."""
        mark = {"of": self._of, "upto": self.upto, "rows": self._rows, "files": files}
        (self.folder / _MARK).write_text(json.dumps(mark), encoding="utf-8")

    def _shut(self) -> None:
        chroma, self._chroma = self._chroma, None
        if chroma is not None:
            chroma.close()

    def _open(self, data: Path) -> None:
        self._chroma = Chroma.folder(data)
        self._cases = self._chroma.collection(_NAME, {"of": "an archive's embeddings"})

    def _survives(self, data: Path) -> bool:
        """Whether another process finds some rows of the ledger in the index by their own embeddings."""
        _, ids, rows = self._after(0, 3)
        trial = json.dumps({"folder": str(data), "ids": ids, "rows": np.asarray(rows, float).tolist()})
        try:
            done = subprocess.run(
                [sys.executable, "-m", "doubleread.rag.stores.trial"],
                input=trial, text=True, capture_output=True, timeout=_TRIAL_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def _write(collection: Any, ids: Sequence[str], rows: Embeddings) -> None:
    """Adds what is new and rewrites what differs: Chroma takes 16 ms for each row it rewrites unchanged."""
    there = collection.get(ids=list(ids), include=["embeddings"])
    stored = dict(zip(there["ids"], there["embeddings"], strict=True))
    new = [i for i, one in enumerate(ids) if one not in stored]
    moved = [i for i, one in enumerate(ids) if one in stored and differs(stored[one], rows[i])]
    for positions, action in ((new, collection.add), (moved, collection.upsert)):
        if positions:
            action(ids=[ids[i] for i in positions], embeddings=rows[positions])


def _read(path: Path) -> dict[str, Any] | None:
    try:
        mark = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return mark if isinstance(mark, dict) and {"of", "upto", "rows", "files"} <= mark.keys() else None


def _files(folder: Path) -> dict[str, list[int]]:
    """Size and time of every file: what a change from outside would change."""
    return {
        str(file.relative_to(folder)): [file.stat().st_size, file.stat().st_mtime_ns]
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
