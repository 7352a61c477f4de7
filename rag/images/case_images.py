"""Opens the images of cases and keeps recent ones, so that concurrent readers share them."""

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from doubleread.core.case import Case
from doubleread.core.errors import ImageError
from doubleread.core.picture_record import PictureRecord
from doubleread.core.recent_values import RecentValues
from doubleread.rag.images.image_policy import ImagePolicy
from doubleread.rag.images.safe_images import STRICT, open_picture, record_of

_BYTES_A_PIXEL = 3
_RECORDS = 20_000


class Images:
    """Opens the images of cases from their file or from bytes held in memory.

    At most ``max_held`` bytes of files and ``max_opened`` bytes of recently opened pixels are held; the least recently
    used go first.
    """

    def __init__(
        self, policy: ImagePolicy = STRICT, *, max_held: int = 256_000_000, max_opened: int = 64_000_000
    ) -> None:
        self.policy = policy
        self._held = RecentValues[str, bytes](max_held, len, least=1)
        self._opened = OpenedImages(max_opened)
        self._records = RecentValues[str, PictureRecord](_RECORDS)

    def hold(self, case_id: str, data: bytes) -> None:
        """Holds the bytes of a case that has no file."""
        self._held.keep(case_id, data)

    def open(self, case: Case, *, max_side: int | None = None) -> Image.Image:
        """Returns the case's image as ``open_image`` gives it. It is shared: do not modify it.

        Raises ``ImageError``, also if the file no longer holds the bytes that the case's id names.
        """
        return self._opened.get(case.id, max_side, lambda: self._open(case, max_side))

    def _open(self, case: Case, max_side: int | None) -> Image.Image:
        held = self._held.find(case.id)
        known = None if held is not None else case.id
        opened = open_picture(self._data(case, held), policy=self.policy, max_side=max_side, sha256=known)
        self._records.keep(case.id, opened.record)
        return opened.image

    def record(self, case: Case) -> PictureRecord | None:
        """Returns what a case's file held before it was converted; None if it cannot be read."""
        found = self._records.find(case.id)
        if found is None:
            held = self._held.find(case.id)
            known = None if held is not None else case.id
            try:
                found = record_of(self._data(case, held), self.policy, known)
            except ImageError:
                return None
            self._records.keep(case.id, found)
        return found

    @staticmethod
    def _data(case: Case, held: bytes | None) -> bytes | Path:
        if held is not None:
            return held
        if case.path is None:
            raise ImageError(
                "missing", f"case {case.id[:12]} has no file and its image is no longer held in memory: pass it again"
            )
        return case.path


class OpenedImages:
    """A cache of images by case and size, limited to ``max_bytes`` of pixels. Concurrent requests share one opening."""

    def __init__(self, max_bytes: int) -> None:
        self._pictures = RecentValues[tuple[str, int | None], Image.Image](
            max_bytes, lambda picture: picture.width * picture.height * _BYTES_A_PIXEL
        )

    def get(self, case_id: str, max_side: int | None, opened: Callable[[], Image.Image]) -> Image.Image:
        """Returns a case's image, its longer side at most ``max_side``; calls ``opened`` if it is not cached."""
        with self._pictures.making(case_id):
            for key in ((case_id, max_side), (case_id, None)):  # this size, or the whole image if it is no larger
                found = self._pictures.find(key)
                if found is not None and (max_side is None or max(found.size) <= max_side):
                    return found
            picture = opened()
            # An image smaller than the limit was not scaled down, so it is the whole image.
            whole = max_side is None or max(picture.size) < max_side
            self._pictures.keep((case_id, None if whole else max_side), picture)
            return picture
