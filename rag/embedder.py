"""Embeddings of cases, computed once and shared by all agents."""

import asyncio
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from PIL import Image

from doubleread.core.agent_ports import WHOLE
from doubleread.core.case import Case
from doubleread.core.ports import Encoder, PatchEncoder
from doubleread.core.types import Embeddings, Patches
from doubleread.rag.bulk_embedding import EmbeddedCases, embed_cases
from doubleread.rag.cache import EncodingCache, Key, Row
from doubleread.rag.images.case_images import Images
from doubleread.rag.view_encoder import ViewEncoder

_IN_MEMORY = 20_000
_WORKERS = 4


class _Asked(NamedTuple):
    """Views of a case that are to be encoded, and the futures that wait for them."""

    case: Case
    waiting: dict[str, Future[Row]]


class CachedEmbedder:
    """Encodes cases in shared batches, with a memory cache and a disk cache.

    Concurrent requests for the same view of the same case share one encoding. With ``patch_encoder``, the same network
    as ``encoder``, it also gives patches, from the same pass where a view was not encoded before.
    """

    def __init__(
        self,
        encoder: Encoder,
        images: Images,
        cache: EncodingCache | None = None,
        batch: int = 8,
        patch_encoder: PatchEncoder | None = None,
    ) -> None:
        self.encoder, self.images, self._batch = encoder, images, batch
        self._views = ViewEncoder(encoder, images, cache, batch, patch_encoder)
        self._memory: OrderedDict[Key, Row] = OrderedDict()
        self._flying: dict[Key, Future[Row]] = {}
        self._asked: deque[_Asked] = deque()
        self._guard = threading.Lock()
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="doubleread-embed")

    @property
    def fingerprint(self) -> str:
        return self.encoder.fingerprint

    async def embed(self, case: Case, views: Sequence[str] = (WHOLE,)) -> Embeddings:
        """Returns rows ``(len(views), dim)``. Raises ``ImageError`` and, for an unknown view, ``UnknownPart``."""
        if (known := self._remembered(case, views)) is not None:
            return known
        futures = self._request(case, views)
        # Shielded: a cancelled agent must not cancel the encoding that others wait for.
        rows = await asyncio.gather(*(asyncio.shield(asyncio.wrap_future(future)) for future in futures))
        return np.stack(rows)

    async def patches(self, case: Case, views: Sequence[str] = (WHOLE,)) -> Patches:
        """Returns patches ``(len(views), rows, columns, channels)``. Raises as ``embed`` does."""
        await self.embed(case, views)  # shares the pass with all who ask for the embedding
        return np.stack(await asyncio.get_running_loop().run_in_executor(self._pool, self._views.patches, case, views))

    def patches_of(self, cases: Sequence[Case]) -> "CasePatches":
        """Returns the patches of many cases, to go through several times."""
        return CasePatches(self._views, cases)

    def embed_all(
        self,
        cases: Sequence[Case],
        views: Sequence[str] = (WHOLE,),
        progress: Callable[[int, int], None] | None = None,
    ) -> EmbeddedCases:
        """Embeds many cases; unreadable images are named in the result.

        ``progress(done, total)`` counts cases. Rows are cached as soon as they are computed, so that an interrupted run
        can resume.
        """
        return embed_cases(self._views, cases, views, progress or (lambda _done, _total: None))

    def close(self) -> None:
        """Finishes pending requests, ends the worker threads and closes the cache."""
        self._pool.shutdown()
        self._views.close()

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
        """Returns the rows of all views, or None unless all are in memory."""
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
        """Computes a batch of requests and passes the rows, or the error, to everyone who waits."""
        asked, rows, failed = self._take(), dict[Key, Row](), dict[Key, Exception]()
        keys = [(one.case.id, name) for one in asked for name in one.waiting]
        try:
            rows = self._views.known(keys)
            images = self._opened(asked, rows, failed)
            rows |= self._views.encode(list(images), list(images.values()))
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
        """Takes the requests of one batch; none if another worker took them."""
        taken: list[_Asked] = []
        with self._guard:
            while self._asked and sum(len(one.waiting) for one in taken) < self._batch:
                taken.append(self._asked.popleft())
        return taken

    def _opened(
        self, asked: Sequence[_Asked], rows: dict[Key, Row], failed: dict[Key, Exception]
    ) -> dict[Key, Image.Image]:
        """Opens the views that have no row yet; errors go to ``failed``."""
        found: dict[Key, Image.Image] = {}
        for case, waiting in asked:
            names = [name for name in waiting if (case.id, name) not in rows]
            try:
                views = self._views.open(case, names) if names else []
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


class CasePatches:
    """The patches ``(rows, columns, channels)`` of one case after the other; they are not all held in memory."""

    def __init__(self, views: ViewEncoder, cases: Sequence[Case]) -> None:
        self._views, self._cases = views, cases

    def __iter__(self) -> Iterator[Patches]:
        for case in self._cases:
            yield self._views.patches(case, (WHOLE,))[0]
