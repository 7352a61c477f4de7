"""Each case's embeddings, computed once and shared by every agent that asks."""

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from doubleread.core.case import Case
from doubleread.core.errors import ImageError
from doubleread.core.ports import WHOLE, Encoder
from doubleread.core.types import Embeddings
from doubleread.core.verdict import Unread
from doubleread.rag.batcher import Batcher
from doubleread.rag.cache import EncodingCache, Key, Row
from doubleread.rag.images.case_images import Images
from doubleread.rag.images.views import view

DECODE_SIDE = 1024
"""Encoders see 224 to 512 pixels a side: decoding more of a photograph only costs time."""
_IN_MEMORY = 20_000
_WORKERS = 4


@dataclass(frozen=True)
class EmbeddedCases:
    """The embeddings of many cases, and which cases they are of."""

    embeddings: NDArray[np.float32]
    """Shape ``(len(kept), len(views), dim)``, unit-length rows."""
    kept: tuple[int, ...]
    """Index of each row's case among the cases given."""
    unread: tuple[Unread, ...]
    """The cases whose image could not be read, and why."""


class _Asked(NamedTuple):
    """Views of a case that nobody has asked for before, and who waits for them."""

    case: Case
    waiting: dict[str, Future[Row]]


class CachedEmbedder:
    """Encodes cases through a memory and a disk cache, in shared batches.

    Agents that ask for the same view of the same case at the same time wait for one encoding of it.
    """

    def __init__(self, encoder: Encoder, images: Images, cache: EncodingCache | None = None, batch: int = 8) -> None:
        self.encoder, self.images, self._cache, self._batch = encoder, images, cache, batch
        self._batcher = Batcher(encoder, batch)
        self._memory: OrderedDict[Key, Row] = OrderedDict()
        self._flying: dict[Key, Future[Row]] = {}
        self._asked: deque[_Asked] = deque()
        self._guard = threading.Lock()
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="doubleread-embed")

    @property
    def fingerprint(self) -> str:
        return self.encoder.fingerprint

    async def embed(self, case: Case, views: Sequence[str] = (WHOLE,)) -> Embeddings:
        """Rows of shape ``(len(views), dim)``; raises ``ImageError``, or ``UnknownPart`` for an unknown view."""
        if (known := self._remembered(case, views)) is not None:
            return known
        futures = self._request(case, views)
        # Shielded: an agent that gives up must not take the encoding away from the others.
        rows = await asyncio.gather(*(asyncio.shield(asyncio.wrap_future(future)) for future in futures))
        return np.stack(rows)

    def embed_all(
        self,
        cases: Sequence[Case],
        views: Sequence[str] = (WHOLE,),
        progress: Callable[[int, int], None] | None = None,
    ) -> EmbeddedCases:
        """Embeds many cases; unreadable images are named in the result.

        ``progress(done, total)`` is called as it goes on. Rows are in the cache as soon as they are computed, so that
        an interrupted run goes on where it stopped.
        """
        unique = {case.id: case for case in cases}
        rows = self._known([(case_id, name) for case_id in unique for name in views])
        missing = [case for case in unique.values() if any((case.id, name) not in rows for name in views)]
        problems: dict[str, ImageError] = {}
        report = progress or (lambda _done, _total: None)
        report(len(unique) - len(missing), len(unique))
        for done, new, failed in self._encode_missing(missing, views):
            rows.update(new)
            problems.update(failed)
            report(len(unique) - len(missing) + done, len(unique))
        return self._collect(cases, views, rows, problems)

    def close(self) -> None:
        """Finishes what was asked for, ends the worker threads and closes the cache."""
        self._pool.shutdown()
        if self._cache is not None:
            self._cache.close()

    def _request(self, case: Case, views: Sequence[str]) -> list[Future[Row]]:
        with self._guard:
            futures = {name: self._under_way((case.id, name)) for name in views}
            new = {name: Future[Row]() for name, future in futures.items() if future is None}
            self._flying.update({(case.id, name): future for name, future in new.items()})
            if new:
                self._asked.append(_Asked(case, new))
        if new:
            self._pool.submit(self._fulfil)
        return [futures[name] or new[name] for name in views]

    def _remembered(self, case: Case, views: Sequence[str]) -> Embeddings | None:
        """The rows of all views; None unless all are in memory."""
        with self._guard:
            keys = [(case.id, name) for name in views]
            if not all(key in self._memory for key in keys):
                return None
            for key in keys:
                self._memory.move_to_end(key)
            return np.stack([self._memory[key] for key in keys])

    def _under_way(self, key: Key) -> Future[Row] | None:
        if key in self._memory:
            ready = Future[Row]()
            ready.set_result(self._memory[key])
            return ready
        return self._flying.get(key)

    def _fulfil(self) -> None:
        """Computes a batch of what is asked for, and hands the rows, or the failure, to everyone who waits."""
        asked, rows, failed = self._take(), dict[Key, Row](), dict[Key, Exception]()
        keys = [(one.case.id, name) for one in asked for name in one.waiting]
        try:
            rows = self._known(keys)
            images = self._opened(asked, rows, failed)
            if images:
                rows |= self._keep(list(images), self._batcher.encode(list(images.values())))
        except Exception as error:  # noqa: BLE001 (re-raised in every waiting agent)
            failed |= {key: error for key in keys if key not in rows}
        self._land(keys, rows)
        for one in asked:
            for name, future in one.waiting.items():
                if (row := rows.get((one.case.id, name))) is not None:
                    future.set_result(row)
                else:
                    future.set_exception(failed[one.case.id, name])

    def _take(self) -> list[_Asked]:
        """As much as makes a batch; nothing where another worker took it along."""
        taken: list[_Asked] = []
        with self._guard:
            while self._asked and sum(len(one.waiting) for one in taken) < self._batch:
                taken.append(self._asked.popleft())
        return taken

    def _opened(
        self, asked: Sequence[_Asked], rows: dict[Key, Row], failed: dict[Key, Exception]
    ) -> dict[Key, Image.Image]:
        """The views that have no row yet; those that cannot be opened are ``failed``."""
        found: dict[Key, Image.Image] = {}
        for case, waiting in asked:
            names = [name for name in waiting if (case.id, name) not in rows]
            try:
                views = self._views(case, names) if names else []
                found.update(zip(((case.id, name) for name in names), views, strict=True))
            except Exception as error:  # noqa: BLE001 (re-raised in every waiting agent)
                failed.update({(case.id, name): error for name in names})
        return found

    def _land(self, keys: Sequence[Key], rows: dict[Key, Row]) -> None:
        with self._guard:
            self._memory.update(rows)
            while len(self._memory) > _IN_MEMORY:
                self._memory.popitem(last=False)
            for key in keys:
                self._flying.pop(key, None)

    def _known(self, keys: Sequence[Key]) -> dict[Key, Row]:
        found = self._cache.get_many(keys) if self._cache is not None else {}
        return {key: row for key, row in found.items() if row.shape == (self.encoder.dim,)}

    def _views(self, case: Case, views: Sequence[str]) -> list[Image.Image]:
        image = self.images.open(case, max_side=DECODE_SIDE)
        return [view(image, name) for name in views]

    def _keep(self, keys: Sequence[Key], encoded: Embeddings) -> dict[Key, Row]:
        rows = dict(zip(keys, encoded, strict=True))
        if self._cache is not None:
            self._cache.put_many(rows)
        return rows

    def _encode_missing(
        self, cases: Sequence[Case], views: Sequence[str]
    ) -> Iterator[tuple[int, dict[Key, Row], dict[str, ImageError]]]:
        """How many cases are done, the new rows and the failures, batch by batch."""
        size = max(1, self._batch // len(views))
        decoded = self._decoded(cases, views)
        for start in range(0, len(cases), size):
            group = [next(decoded) for _ in cases[start : start + size]]
            failed = {case.id: found for case, found in group if isinstance(found, ImageError)}
            read = [(case, found) for case, found in group if not isinstance(found, ImageError)]
            images = [image for _, found in read for image in found]
            encoded = self._batcher.encode(images) if images else np.zeros((0, self.encoder.dim), np.float32)
            keys = [(case.id, name) for case, _ in read for name in views]
            yield start + len(group), self._keep(keys, encoded), failed

    def _decoded(
        self, cases: Sequence[Case], views: Sequence[str]
    ) -> Iterator[tuple[Case, list[Image.Image] | ImageError]]:
        """Every case with its images or its failure, in order, decoded some way ahead."""
        ahead: deque[tuple[Case, Future[list[Image.Image] | ImageError]]] = deque()
        waiting = iter(cases)
        with ThreadPoolExecutor(_WORKERS, thread_name_prefix="doubleread-decode") as pool:
            try:
                for case in waiting:
                    ahead.append((case, pool.submit(self._try_views, case, views)))
                    if len(ahead) > 2 * self._batch:
                        first, future = ahead.popleft()
                        yield first, future.result()
                for first, future in ahead:
                    yield first, future.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _try_views(self, case: Case, views: Sequence[str]) -> list[Image.Image] | ImageError:
        try:
            return self._views(case, views)
        except ImageError as error:
            return error

    def _collect(
        self, cases: Sequence[Case], views: Sequence[str], rows: dict[Key, Row], problems: dict[str, ImageError]
    ) -> EmbeddedCases:
        kept = tuple(i for i, case in enumerate(cases) if case.id not in problems)
        embeddings = np.zeros((len(kept), len(views), self.encoder.dim), np.float32)
        for row, i in enumerate(kept):
            for column, name in enumerate(views):
                embeddings[row, column] = rows[cases[i].id, name]
        unread = (
            Unread(source=case.source or case.id, code=problems[case.id].code, problem=str(problems[case.id]))
            for case in cases
            if case.id in problems
        )
        return EmbeddedCases(embeddings, kept, tuple(unread))
