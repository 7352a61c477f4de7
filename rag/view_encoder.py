"""Embeds views of cases: opens them, encodes them in batches shared by threads, and caches the rows on disk."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from doubleread.core.case import Case
from doubleread.core.ports import Encoder, PatchEncoder
from doubleread.core.recent_values import RecentValues
from doubleread.core.types import Patches
from doubleread.rag.cache import EncodingCache, Key, Row
from doubleread.rag.images.case_images import Images
from doubleread.rag.images.image_views import view

DECODE_SIDE = 1024
"""Longer side, in pixels, at which images are decoded: encoders use 224 to 512, and a larger image costs time."""
_PATCH_BYTES = 256 * 1024 * 1024
"""Size of the patches that are held in memory; those used least recently go first, and are encoded again if needed."""


class EncodedView(NamedTuple):
    """What the encoder gives for one view; ``patches`` is None where nobody wants them."""

    row: Row
    patches: Patches | None = None


class ViewEncoder:
    """Opens and encodes views of cases. Returned rows are already in the cache, if there is one.

    With a patch encoder, the pass that gives a row also gives the view's patches, which are held in memory.
    """

    def __init__(
        self,
        encoder: Encoder,
        images: Images,
        cache: EncodingCache | None,
        batch: int,
        patch_encoder: PatchEncoder | None = None,
    ) -> None:
        self.encoder, self.images, self.batch, self._cache = encoder, images, batch, cache
        self._patch_encoder = patch_encoder
        self._recent = RecentValues[Key, Patches](_PATCH_BYTES, lambda one: one.nbytes, least=1)
        self._batcher = Batcher(self._encoded, batch)

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
        seen = dict(zip(keys, self._batcher.encode(images), strict=True)) if keys else {}
        rows = {key: one.row for key, one in seen.items()}
        for key, one in seen.items():
            if one.patches is not None:
                self._recent.keep(key, one.patches)
        if self._cache is not None and rows:
            self._cache.put_many(rows)
        return rows

    def patches(self, case: Case, views: Sequence[str]) -> list[Patches]:
        """Returns the patches of views, encoding those that are no longer held. Raises as ``open`` does."""
        found = {name: self._recent.find((case.id, name)) for name in views}
        missing = [name for name, patches in found.items() if patches is None]
        seen = self._batcher.encode(self.open(case, missing)) if missing else []
        for name, one in zip(missing, seen, strict=True):
            found[name] = one.patches
            if one.patches is not None:
                self._recent.keep((case.id, name), one.patches)
        return [patches for patches in found.values() if patches is not None]

    def _encoded(self, images: Sequence[Image.Image]) -> list[EncodedView]:
        if self._patch_encoder is None:
            return [EncodedView(row) for row in self.encoder.encode(images)]
        return [EncodedView(*both) for both in zip(*self._patch_encoder.encode_patches(images), strict=True)]

    def close(self) -> None:
        if self._cache is not None:
            self._cache.close()


@dataclass
class _EncodingJob:
    images: Sequence[Image.Image]
    views: list[EncodedView] | None = None
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.views is not None or self.error is not None


class Batcher:
    """Encodes images from any number of threads, one batch of about ``size`` at a time.

    Requests that wait for the encoder are merged into the next batch.
    """

    def __init__(self, encode: Callable[[Sequence[Image.Image]], list[EncodedView]], size: int) -> None:
        self._encode, self._size = encode, size
        self._waiting: list[_EncodingJob] = []
        self._guard, self._turn = threading.Lock(), threading.Lock()

    def encode(self, images: Sequence[Image.Image]) -> list[EncodedView]:
        """Returns what each image gave; blocks until it is computed. Raises the encoder's errors."""
        job = _EncodingJob(images)
        with self._guard:
            self._waiting.append(job)
        while not job.done:
            with self._turn:
                if not job.done:
                    self._run(self._take())
        if job.error is not None:
            raise job.error
        assert job.views is not None
        return job.views

    def _take(self) -> list[_EncodingJob]:
        with self._guard:
            taken = [self._waiting.pop(0)]
            while self._waiting and sum(len(job.images) for job in taken) < self._size:
                taken.append(self._waiting.pop(0))
            return taken

    def _run(self, jobs: Sequence[_EncodingJob]) -> None:
        try:
            views = self._encode([image for job in jobs for image in job.images])
        except Exception as error:  # noqa: BLE001 (passed to every waiting thread)
            for job in jobs:
                job.error = error
            return
        for job in jobs:
            job.views, views = views[: len(job.images)], views[len(job.images) :]
