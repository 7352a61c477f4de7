"""Embeds views of cases: opens them, encodes them in batches shared by threads, and caches the rows on disk."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from doubleread.core.case import Case
from doubleread.core.ports import Encoder
from doubleread.core.types import Embeddings
from doubleread.rag.cache import EncodingCache, Key, Row
from doubleread.rag.images.case_images import Images
from doubleread.rag.images.image_views import view

DECODE_SIDE = 1024
"""Longer side, in pixels, at which images are decoded: encoders use 224 to 512, and a larger image costs time."""


class ViewEncoder:
    """Opens and encodes views of cases. Returned rows are already in the cache, if there is one."""

    def __init__(self, encoder: Encoder, images: Images, cache: EncodingCache | None, batch: int) -> None:
        self.encoder, self.images, self.batch, self._cache = encoder, images, batch, cache
        self._batcher = Batcher(encoder, batch)

    def known(self, keys: Sequence[Key]) -> dict[Key, Row]:
        """Returns the cached rows."""
        found = self._cache.get_many(keys) if self._cache is not None else {}
        return {key: row for key, row in found.items() if row.shape == (self.encoder.dim,)}

    def open(self, case: Case, views: Sequence[str]) -> list[Image.Image]:
        """Returns a case's views; raises ``ImageError``, and ``UnknownPart`` for an unknown view."""
        image = self.images.open(case, max_side=DECODE_SIDE)
        return [view(image, name) for name in views]

    def encode(self, keys: Sequence[Key], images: Sequence[Image.Image]) -> dict[Key, Row]:
        """Returns a row for each image, by its key."""
        rows = dict(zip(keys, self._batcher.encode(images), strict=True)) if keys else {}
        if self._cache is not None and rows:
            self._cache.put_many(rows)
        return rows

    def close(self) -> None:
        if self._cache is not None:
            self._cache.close()


@dataclass
class _EncodingJob:
    images: Sequence[Image.Image]
    rows: Embeddings | None = None
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.rows is not None or self.error is not None


class Batcher:
    """Encodes images from any number of threads, one batch of about ``size`` at a time.

    Requests that wait for the encoder are merged into the next batch.
    """

    def __init__(self, encoder: Encoder, size: int) -> None:
        self._encoder, self._size = encoder, size
        self._waiting: list[_EncodingJob] = []
        self._guard, self._turn = threading.Lock(), threading.Lock()

    def encode(self, images: Sequence[Image.Image]) -> Embeddings:
        """Returns rows ``(len(images), dim)``; blocks until they are computed. Raises the encoder's errors."""
        job = _EncodingJob(images)
        with self._guard:
            self._waiting.append(job)
        while not job.done:
            with self._turn:
                if not job.done:
                    self._run(self._take())
        if job.error is not None:
            raise job.error
        assert job.rows is not None
        return job.rows

    def _take(self) -> list[_EncodingJob]:
        with self._guard:
            taken = [self._waiting.pop(0)]
            while self._waiting and sum(len(job.images) for job in taken) < self._size:
                taken.append(self._waiting.pop(0))
            return taken

    def _run(self, jobs: Sequence[_EncodingJob]) -> None:
        try:
            rows = self._encoder.encode([image for job in jobs for image in job.images])
        except Exception as error:  # noqa: BLE001 (passed to every waiting thread)
            for job in jobs:
                job.error = error
            return
        ends = np.cumsum([len(job.images) for job in jobs])
        for job, end in zip(jobs, ends, strict=True):
            job.rows = rows[end - len(job.images) : end]
