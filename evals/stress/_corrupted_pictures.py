"""The corrupted pictures: each image is opened once, and corrupted a little ahead of who reads."""

import io
import os
from base64 import b64encode
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from PIL import Image

from doubleread.core.case import Case
from doubleread.core.errors import ImageError
from doubleread.evals.stress._pixels import Pixels, image_of, pixels_of
from doubleread.evals.stress.corruptions import Corruption
from doubleread.rag.images.safe_images import open_image

SIDE = 512
"""The longer side is scaled down to that, the clean picture too, so that corruption is the only difference."""
_AHEAD = 2
_THUMBNAIL = 112


class PictureVariant(NamedTuple):
    """A corruption at a severity; None and 0 for the clean picture."""

    corruption: Corruption | None
    severity: int

    def apply(self, pixels: Pixels, case: str) -> Pixels | None:
        """None where this picture cannot be corrupted so."""
        return pixels if self.corruption is None else self.corruption.apply(pixels, case, self.severity)


def opened(case: Case) -> Pixels:
    """The pixels of a case; raises ``ImageError``."""
    if case.path is None:
        raise ImageError("missing", f"{case.source} is not a file; give images as files")
    return pixels_of(open_image(case.path, max_side=SIDE, sha256=case.id))


def corrupted(cases: Sequence[Case], variants: Sequence[PictureVariant]) -> Iterator[list[bytes | None] | ImageError]:
    """For each case the encoded pictures of all variants, None where one is impossible; or why it cannot be opened."""
    with ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="doubleread-stress") as pool:
        waiting, flying = iter(cases), deque[Future[list[bytes | None] | ImageError]]()
        try:
            while True:
                while len(flying) < _AHEAD and (case := next(waiting, None)) is not None:
                    flying.append(pool.submit(_all_of, case, variants))
                if not flying:
                    return
                yield flying.popleft().result()
        finally:
            for one in flying:
                one.cancel()


def _all_of(case: Case, variants: Sequence[PictureVariant]) -> list[bytes | None] | ImageError:
    try:
        pixels = opened(case)
    except ImageError as error:
        return error
    made = [variant.apply(pixels, case.id) for variant in variants]
    return [None if one is None else _encoded(image_of(one)) for one in made]


def _encoded(image: Image.Image, kind: str = "BMP") -> bytes:
    """As a file; BMP is quick and loses nothing."""
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def thumbnails(case: Case, variants: Sequence[PictureVariant]) -> list[str | None]:
    """Small pictures of all variants as data URIs, None where one is impossible; raises ``ImageError``."""
    pixels = opened(case)
    made = [variant.apply(pixels, case.id) for variant in variants]
    return [None if one is None else _uri(image_of(one)) for one in made]


def _uri(image: Image.Image) -> str:
    image.thumbnail((_THUMBNAIL, _THUMBNAIL))
    return "data:image/jpeg;base64," + b64encode(_encoded(image, "JPEG")).decode()
