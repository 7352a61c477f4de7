"""The case store on disk, kept by Chroma. The only module that imports chromadb."""

import gc
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import chromadb
import numpy as np
from chromadb.config import Settings
from chromadb.errors import ChromaError

from doubleread.core.case import Case
from doubleread.core.errors import EncoderMismatch, StoreError
from doubleread.core.evidence import Neighbour
from doubleread.core.types import Embeddings
from doubleread.rag.stores.chroma_folder import is_new
from doubleread.rag.stores.lock import FolderLock
from doubleread.rag.stores.rows import (
    Exported,
    Rows,
    check_k,
    checked_rows,
    nearest_first,
    neighbour,
    unit_rows,
)

SCHEMA = 1
_NAME = "cases"
_INDEX = {"hnsw": {"space": "cosine", "ef_construction": 200, "max_neighbors": 32, "ef_search": 200}}
_BATCH = 2000
_MARGIN = 16
_SAME = 1e-3  # numerical noise between batches and devices; another image is hundreds of times further away
_ERRORS = (ChromaError, ValueError, TypeError, RuntimeError, OSError, KeyError)
_creating = threading.Lock()  # Chroma's table of clients is not safe for threads


class ChromaStore:
    """Implements the ``CaseStore`` port in a folder, for one writing process or several reading ones.

    Raises ``StoreBusy`` where another holds the folder, ``EncoderMismatch`` where it holds embeddings of another
    encoder, and ``StoreError`` where it is no store or a damaged one; then the folder is left as it was.
    """

    def __init__(self, folder: Path, fingerprint: str, *, dim: int, read_only: bool = False) -> None:
        self.folder, self.fingerprint, self.dim, self.read_only = folder.resolve(), fingerprint, dim, read_only
        new = is_new(self.folder)
        if new and read_only:
            raise StoreError(f"there is no case store in {self.folder}: build one first, or open it for writing")
        if new:
            self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = FolderLock(self.folder, shared=read_only)
        self._guard = threading.RLock()
        self._client: Any = None
        self._cases: Any = None
        try:
            with _mapped("open", self.folder):
                self._open()
        except BaseException:
            self.close()
            raise

    def add(self, cases: Sequence[Case], embeddings: Embeddings) -> None:
        """Upserts by case id, rewriting only what changed; on disk when it returns. Raises ``StoreError``."""
        if self.read_only:
            raise StoreError(f"the case store {self.folder} was opened read-only: open it for writing to add cases")
        rows = checked_rows(cases, embeddings, self.dim)
        with self._use("write") as collection:
            for start in range(0, len(rows.cases), _BATCH):
                part = slice(start, start + _BATCH)
                _write(collection, Rows(rows.cases[part], rows.embeddings[part]))

    def search(
        self,
        queries: Embeddings,
        k: int,
        *,
        exclude_ids: frozenset[str] = frozenset(),
        exclude_groups: frozenset[str] = frozenset(),
    ) -> list[list[Neighbour]]:
        """The ``k`` nearest cases of each query row, nearest first; fewer where there are no more.

        More are fetched than wanted and filtered here, since Chroma's own filters are ten times slower.
        """
        check_k(k)
        units = unit_rows(queries, self.dim)
        with self._use("search") as collection:
            return [_search_one(collection, unit, k, exclude_ids, exclude_groups) for unit in units]

    def count(self) -> int:
        """Number of stored cases."""
        with self._use("read") as collection:
            return int(collection.count())

    def holds(self, case_id: str) -> bool:
        """Whether a case of that id is stored."""
        with self._use("read") as collection:
            return bool(collection.get(ids=[case_id], include=[])["ids"])

    def get(self, ids: Sequence[str]) -> list[Case]:
        """The stored cases of these ids, in this order; unknown ids are left out."""
        with self._use("read") as collection:
            found: dict[str, Case] = {}
            for start in range(0, len(ids), _BATCH):
                answer = collection.get(ids=list(dict.fromkeys(ids[start : start + _BATCH])), include=["metadatas"])
                found.update(zip(answer["ids"], map(_case, answer["metadatas"]), strict=True))
        return [found[case_id] for case_id in ids if case_id in found]

    def export(self) -> Exported:
        """Everything that is stored, in the order of the case ids."""
        cases: list[Case] = []
        parts: list[Embeddings] = [np.zeros((0, self.dim), np.float32)]
        with self._use("read") as collection:
            for start in range(0, collection.count(), _BATCH):
                page = collection.get(limit=_BATCH, offset=start, include=["metadatas", "embeddings"])
                cases += map(_case, page["metadatas"])
                parts.append(np.asarray(page["embeddings"], np.float32))
        order = sorted(range(len(cases)), key=lambda i: cases[i].id)
        return Exported([cases[i] for i in order], np.concatenate(parts)[order])

    def close(self) -> None:
        """Lets go of the folder, which can then be moved, deleted or opened elsewhere; a second call does nothing."""
        with self._guard:
            client, self._client, self._cases = self._client, None, None
            if client is not None:
                with _creating:
                    client.close()
                del client
                gc.collect()  # Chroma's objects refer to each other in circles, and hold the database file open
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> None:
        settings = Settings(_env_file=None, anonymized_telemetry=False)
        with _creating:
            self._client = chromadb.PersistentClient(str(self.folder), settings=settings)
        names = [collection.name for collection in self._client.list_collections()]
        if not names and not self.read_only:
            self._cases = self._client.create_collection(
                _NAME,
                embedding_function=None,
                configuration=_INDEX,
                metadata={"schema": SCHEMA, "fingerprint": self.fingerprint, "dim": self.dim},
            )
        elif _NAME in names:
            self._cases = self._client.get_collection(_NAME, embedding_function=None)
            self._check_metadata(self._cases.metadata or {})
            self._check_index()
        else:
            raise StoreError(f"{self.folder} is a Chroma database of another kind ({', '.join(names)}): name another")

    def _check_metadata(self, metadata: dict[str, Any]) -> None:
        if metadata.get("schema") != SCHEMA:
            raise StoreError(
                f"the case store {self.folder} has schema {metadata.get('schema')}; this version reads {SCHEMA}: "
                "build the store anew in another folder"
            )
        if metadata["fingerprint"] != self.fingerprint or metadata["dim"] != self.dim:
            raise EncoderMismatch(
                f"the case store {self.folder} holds embeddings of {metadata['fingerprint']} (length "
                f"{metadata['dim']}), not of {self.fingerprint} (length {self.dim}): use that encoder, or build the "
                "store anew in another folder"
            )

    def _check_index(self) -> None:
        """Asks for one stored row by its own embedding: a lost or damaged index does not find it."""
        page = self._cases.get(limit=1, include=["embeddings"])
        if not page["ids"]:
            return
        row = unit_rows(np.asarray(page["embeddings"], np.float32), self.dim)
        if not self._cases.query(query_embeddings=row, n_results=1, include=["distances"])["ids"][0]:
            raise StoreError(f"the index of the case store {self.folder} is lost: build the store anew elsewhere")

    @contextmanager
    def _use(self, verb: str) -> Iterator[Any]:
        with self._guard:
            if self._cases is None:
                raise StoreError(f"the case store {self.folder} is closed: open it again")
            with _mapped(verb, self.folder):
                yield self._cases


@contextmanager
def _mapped(verb: str, folder: Path) -> Iterator[None]:
    """Chroma's errors as ours."""
    try:
        yield
    except _ERRORS as error:
        reason = str(error)[:300] or type(error).__name__
        raise StoreError(
            f"the case store {folder} failed to {verb} ({type(error).__name__}: {reason}): check the disk's space and "
            "permissions; if the store is damaged, build it anew in another folder"
        ) from None


def _write(collection: Any, rows: Rows) -> None:
    """Adds what is new and rewrites what changed: Chroma takes 16 ms for each row it rewrites unchanged."""
    there = collection.get(ids=[case.id for case in rows.cases], include=["metadatas", "embeddings"])
    stored = dict(zip(there["ids"], zip(there["metadatas"], there["embeddings"], strict=True), strict=True))
    new = [i for i, case in enumerate(rows.cases) if case.id not in stored]
    moved = [
        i
        for i, case in enumerate(rows.cases)
        if case.id in stored and float(np.abs(stored[case.id][1] - rows.embeddings[i]).max()) > _SAME
    ]
    told = [i for i, case in enumerate(rows.cases) if case.id in stored and stored[case.id][0] != _metadata(case)]
    for positions, action in ((new, collection.add), (moved, collection.upsert)):
        if positions:
            action(**_columns(rows, positions), embeddings=rows.embeddings[positions])
    if told:
        collection.update(**_columns(rows, told))


def _columns(rows: Rows, positions: Sequence[int]) -> dict[str, Any]:
    chosen = [rows.cases[i] for i in positions]
    return {"ids": [case.id for case in chosen], "metadatas": [_metadata(case) for case in chosen]}


def _metadata(case: Case) -> dict[str, str]:
    """Always the same keys, since Chroma merges: a key left out would keep its old value."""
    return {"label": str(case.label), "case": case.model_dump_json()}


def _case(metadata: Any) -> Case:
    return Case.model_validate_json(metadata["case"])


def _search_one(
    collection: Any, query: Embeddings, k: int, exclude_ids: frozenset[str], exclude_groups: frozenset[str]
) -> list[Neighbour]:
    everything = collection.count()
    fetch = min(everything, k + len(exclude_ids) + _MARGIN)
    while everything:
        answer = collection.query(query_embeddings=query[None], n_results=fetch, include=["metadatas", "distances"])
        found = [
            neighbour(case, 1.0 - float(distance))
            for case, distance in zip(map(_case, answer["metadatas"][0]), answer["distances"][0], strict=True)
            if case.id not in exclude_ids and case.group not in exclude_groups
        ]
        if len(found) >= k or fetch == everything:
            return nearest_first(found, k)
        fetch = min(everything, 4 * fetch)
    return []
