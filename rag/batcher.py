"""Many threads, one encoder: whoever waits for it is taken along in the next batch."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from doubleread.core.ports import Encoder
from doubleread.core.types import Embeddings


@dataclass
class _EncodingJob:
    images: Sequence[Image.Image]
    rows: Embeddings | None = None
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.rows is not None or self.error is not None


class Batcher:
    """Encodes from any number of threads, one batch of about ``size`` images at a time."""

    def __init__(self, encoder: Encoder, size: int) -> None:
        self._encoder, self._size = encoder, size
        self._waiting: list[_EncodingJob] = []
        self._guard, self._turn = threading.Lock(), threading.Lock()

    def encode(self, images: Sequence[Image.Image]) -> Embeddings:
        """Rows of shape ``(len(images), dim)``; blocks until they are there. Raises what the encoder raised."""
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
        except Exception as error:  # noqa: BLE001 (handed to every thread that waits for it)
            for job in jobs:
                job.error = error
            return
        ends = np.cumsum([len(job.images) for job in jobs])
        for job, end in zip(jobs, ends, strict=True):
            job.rows = rows[end - len(job.images) : end]
