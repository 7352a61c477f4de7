"""The pixels of cases, opened once for all who look at the same picture within a moment."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from PIL import Image

from doubleread.core.case import Case
from doubleread.core.errors import ImageError
from doubleread.rag.images.safe_images import MAX_PIXELS, open_image

_BYTES_A_PIXEL = 3
_LOCKS = 16


class OpenedLately:
    """Holds at most ``max_bytes`` of pixels; the longest unused go first. Thread-safe.

    Who asks for a picture that is just being opened waits for it.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pictures: OrderedDict[tuple[str, int | None], Image.Image] = OrderedDict()
        self._guard = threading.Lock()
        self._opening = [threading.Lock() for _ in range(_LOCKS)]

    def get(self, case_id: str, max_side: int | None, opened: Callable[[], Image.Image]) -> Image.Image:
        """The picture of a case, its longer side at most ``max_side``; as ``opened`` gives it where it is not held."""
        with self._opening[hash(case_id) % _LOCKS]:
            found = self._find(case_id, max_side)
            return found if found is not None else self._keep(case_id, max_side, opened())

    def _find(self, case_id: str, max_side: int | None) -> Image.Image | None:
        """Held for this size; or whole, and no larger than this size."""
        with self._guard:
            for key in ((case_id, max_side), (case_id, None)):
                found = self._pictures.get(key)
                if found is not None and (max_side is None or max(found.size) <= max_side):
                    self._pictures.move_to_end(key)
                    return found
            return None

    def _keep(self, case_id: str, max_side: int | None, picture: Image.Image) -> Image.Image:
        # One that is smaller than it might be has not been scaled down: it is whole.
        whole = max_side is None or max(picture.size) < max_side
        with self._guard:
            self._pictures[case_id, None if whole else max_side] = picture
            while sum(_BYTES_A_PIXEL * one.width * one.height for one in self._pictures.values()) > self._max_bytes:
                self._pictures.popitem(last=False)
        return picture


class Images:
    """Opens the pixels of cases, from their file or from bytes held in memory.

    At most ``max_held`` bytes are held; the longest unused go first. The same goes for pixels that were opened lately:
    whoever looks at a case shares them.
    """

    def __init__(
        self, *, max_pixels: int = MAX_PIXELS, max_held: int = 256_000_000, max_opened: int = 64_000_000
    ) -> None:
        self._max_pixels, self._max_held = max_pixels, max_held
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._opened = OpenedLately(max_opened)
        self._guard = threading.Lock()

    def hold(self, case_id: str, data: bytes) -> None:
        """Keep the bytes of a case that has no file."""
        with self._guard:
            self._held[case_id] = data
            self._held.move_to_end(case_id)
            while len(self._held) > 1 and sum(map(len, self._held.values())) > self._max_held:
                self._held.popitem(last=False)

    def open(self, case: Case, *, max_side: int | None = None) -> Image.Image:
        """The case's image as ``open_image`` gives it, not to be changed.

        Raises ``ImageError``, also where the file no longer holds the bytes that the case's id names.
        """
        return self._opened.get(case.id, max_side, lambda: self._open(case, max_side))

    def _open(self, case: Case, max_side: int | None) -> Image.Image:
        held = self._bytes(case.id)
        if held is not None:
            return open_image(held, max_pixels=self._max_pixels, max_side=max_side)
        if case.path is None:
            raise ImageError(
                "missing", f"case {case.id[:12]} has no file and its image is no longer held in memory: pass it again"
            )
        return open_image(case.path, max_pixels=self._max_pixels, max_side=max_side, sha256=case.id)

    def _bytes(self, case_id: str) -> bytes | None:
        with self._guard:
            if case_id in self._held:
                self._held.move_to_end(case_id)
            return self._held.get(case_id)
