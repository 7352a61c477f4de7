"""The index of an archive: Chroma in a sub-folder, built from the ledger and rebuilt whenever it is in doubt.

One process holds its lock; the others search exactly, in memory. A mark beside it records the last ledger row in it,
its encoder, the last erasure, and the digests of its files at closing. An index with another mark is discarded, and
so is one whose files do not match: a damaged index can crash the process.
"""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from xxhash import xxh3_128

from doubleread.core.durable import write_file
from doubleread.core.errors import FileError, StoreBusy, StoreError
from doubleread.core.folder_lock import FolderLock
from doubleread.core.safe_files import open_regular, read_json
from doubleread.core.types import Embeddings
from doubleread.rag.stores.chroma import BATCH, Chroma, mapped
from doubleread.rag.stores.stored_rows import differs

_NAME = "cases"
_MARK = "built.json"
_DATA = "chroma"
_MARK_BYTES = 10_000_000
_CHUNK = 1 << 20
_NOTHING: Mapping[str, Any] = {"upto": 0, "rows": 0}

Rows = tuple[list[int], list[str], Embeddings]
"""Stamps, ids and embeddings, ordered by stamp."""


class Index:
    """Nearest cases by Chroma. ``after(stamp, most)`` reads the ledger's rows. Only one process can ``open`` it."""

    def __init__(self, folder: Path, of: str, lock: FolderLock, after: Callable[[int, int], Rows]) -> None:
        self.folder, self._of, self._lock, self._after = folder, of, lock, after
        self.upto, self._rows = 0, 0
        self._chroma: Chroma | None = None
        self._cases: Any = None

    @classmethod
    def open(cls, folder: Path, of: str, after: Callable[[int, int], Rows]) -> Self | None:
        """Opens the index ``of`` a state, as far as it was built; None if another process holds it or on a read-only
        disk."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(part.is_symlink() for part in (folder.parent, folder, folder / _DATA)):
                return None  # a link: files elsewhere would be written and deleted
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
        """Adds up to ``most`` rows that the ledger has and the index lacks."""
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
        """Returns ids and cosine similarities of about the ``n`` rows nearest to a query ``(dim,)``; none if closed."""
        try:
            with mapped("search", str(self.folder)):
                found = self._cases.query(query_embeddings=query[None], n_results=n, include=["distances"])
        except StoreError:
            if self._chroma is None:
                return []
            raise
        return [(one, 1.0 - float(d)) for one, d in zip(found["ids"][0], found["distances"][0], strict=True)]

    def count(self) -> int:
        """Number of rows in the index."""
        with mapped("read", str(self.folder)):
            return int(self._cases.count())

    def close(self) -> None:
        """Marks the index as properly closed and releases it; may be called twice."""
        if self._chroma is None:
            return
        try:
            self._rows = self.count()
            self._shut()
            self._sign(_files(self.folder / _DATA))
        finally:
            self._shut()
            self._lock.release()

    def _start(self) -> None:
        mark: Mapping[str, Any] | None = _read(self.folder / _MARK)
        if mark is None or mark["of"] != self._of or mark["files"] != _files(self.folder / _DATA):
            mark = _NOTHING
        self._open(mark)
        if self.count() < mark["rows"]:
            self._shut()
            mark = _NOTHING
            self._open(mark)
        self.upto, self._rows = mark["upto"], mark["rows"]
        self._sign(None)

    def _open(self, mark: Mapping[str, Any]) -> None:
        if mark is _NOTHING:
            shutil.rmtree(self.folder / _DATA, ignore_errors=True)
        self._chroma = Chroma.folder(self.folder / _DATA)
        self._cases = self._chroma.collection(_NAME, {"of": "an archive's embeddings"})

    def _sign(self, files: dict[str, str] | None) -> None:
        """Writes the mark; without ``files``, that of an index in use."""
        mark = {"of": self._of, "upto": self.upto, "rows": self._rows, "files": files}
        try:
            write_file(self.folder / _MARK, json.dumps(mark).encode())
        except FileError as error:
            raise StoreError(str(error)) from None

    def _shut(self) -> None:
        chroma, self._chroma = self._chroma, None
        if chroma is not None:
            chroma.close()


def _write(collection: Any, ids: Sequence[str], rows: Embeddings) -> None:
    """Writes only new and changed rows: Chroma takes 16 ms for each unchanged row that it rewrites."""
    there = collection.get(ids=list(ids), include=["embeddings"])
    stored = dict(zip(there["ids"], there["embeddings"], strict=True))
    new = [i for i, one in enumerate(ids) if one not in stored]
    moved = [i for i, one in enumerate(ids) if one in stored and differs(stored[one], rows[i])]
    for positions, action in ((new, collection.add), (moved, collection.upsert)):
        if positions:
            action(ids=[ids[i] for i in positions], embeddings=rows[positions])


def was_altered(folder: Path) -> bool:
    """Whether the files of a properly closed index have changed since."""
    mark = _read(folder / _MARK)
    return mark is not None and mark["files"] is not None and mark["files"] != _files(folder / _DATA)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        mark = read_json(path, limit=_MARK_BYTES)
    except FileError:
        return None
    numbers = all(isinstance(mark.get(name), int) and mark[name] >= 0 for name in ("upto", "rows"))
    return mark if numbers and {"of", "files"} <= mark.keys() else None


def _files(folder: Path) -> dict[str, str] | None:
    """Returns the digest of every file; None if one cannot be read."""
    try:
        return {
            file.relative_to(folder).as_posix(): _digest(file)
            for file in sorted(folder.rglob("*"))
            if file.is_symlink() or not file.is_dir()
        }
    except (FileError, OSError):
        return None


def _digest(file: Path) -> str:
    if file.is_symlink():
        raise FileError(f"{file} is a link")
    digest = xxh3_128()
    with open_regular(file) as data:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
