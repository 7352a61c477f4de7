"""Small grey copies of pictures, on which near copies are verified."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from doubleread.core.case import Case
from doubleread.core.errors import ImageError
from doubleread.core.ports import ImageSource

SIDE = 128
"""Side of a thumbnail: pictures of any shape become squares."""
OPENED_SIDE = 512
"""Longer side of the opened image."""
_HELD = 8000
"""Thumbnails held in memory, 32 KB each."""

Pixels = NDArray[np.float32]


class Thumbnail(NamedTuple):
    """A picture reduced to ``SIDE`` × ``SIDE`` grey pixels."""

    pixels: NDArray[np.float16]
    """Brightness, 0 to 255. Half precision keeps what averaging adds to 8 bits."""
    side: int
    """Shorter side of the picture, in pixels: how much detail there can be."""


@dataclass(frozen=True)
class Stack:
    """Thumbnails of several pictures, in order."""

    pixels: Pixels
    """Shape ``(n, SIDE, SIDE)``."""
    sides: NDArray[np.int64]


def thumbnail(image: Image.Image) -> Thumbnail:
    """Returns the thumbnail of an image of any size."""
    grey = image.convert("L").convert("F").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return Thumbnail(np.asarray(grey, np.float16), min(image.size))


class Thumbnails:
    """Thumbnails of cases, made when they are first asked for. The oldest go first, so memory is bounded."""

    def __init__(self, images: ImageSource, held: int = _HELD) -> None:
        self._images, self._most = images, held
        self._held: OrderedDict[str, Thumbnail] = OrderedDict()
        self._guard = threading.Lock()

    def keep(self, case_id: str, image: Image.Image) -> Thumbnail:
        """Makes and holds the thumbnail of an opened image."""
        made = thumbnail(image)
        with self._guard:
            self._held[case_id] = made
            while len(self._held) > self._most:
                self._held.popitem(last=False)
        return made

    def of(self, case: Case) -> Thumbnail:
        """Returns a case's thumbnail; raises ``ImageError`` if its picture cannot be opened."""
        with self._guard:
            found = self._held.get(case.id)
        return found or self.keep(case.id, self._images.open(case, max_side=OPENED_SIDE))

    def find(self, case: Case) -> Thumbnail | None:
        """Returns a case's thumbnail; None if its picture cannot be opened."""
        try:
            return self.of(case)
        except ImageError:
            return None


def stacked(thumbnails: Sequence[Thumbnail]) -> Stack:
    """Returns thumbnails as one array."""
    pixels = [one.pixels for one in thumbnails]
    return Stack(np.stack(pixels).astype(np.float32), np.array([one.side for one in thumbnails], np.int64))
