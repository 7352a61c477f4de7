"""Pixels that were opened lately, for all who look at the same picture within a moment."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from PIL import Image

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
            while sum(map(_size, self._pictures.values())) > self._max_bytes:
                self._pictures.popitem(last=False)
        return picture


def _size(picture: Image.Image) -> int:
    return picture.width * picture.height * _BYTES_A_PIXEL
