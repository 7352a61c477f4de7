"""Images as data URLs: upright, bounded in size, pixels only; each made once and shared by all agents."""

import asyncio
import base64
import io
import threading
from collections import OrderedDict

from doubleread.core.case import Case
from doubleread.core.ports import ImageSource

JPEG_QUALITY = 92
HELD = 256
"""Pictures kept, the longest unused go first: enough for the cases in flight and their references."""
_LOCKS = 16


class Pictures:
    """Data URLs of cases' images. Thread-safe."""

    def __init__(self, images: ImageSource) -> None:
        self._images = images
        self._held: OrderedDict[tuple[str, int], str] = OrderedDict()
        self._guard = threading.Lock()
        self._making = [threading.Lock() for _ in range(_LOCKS)]

    async def url(self, case: Case, side: int) -> str:
        """The image as a JPEG data URL whose longer side is at most ``side`` pixels; raises ``ImageError``."""
        found = self._find((case.id, side))
        return found if found is not None else await asyncio.to_thread(self._make, case, side)

    def _make(self, case: Case, side: int) -> str:
        key = (case.id, side)
        with self._making[hash(key) % _LOCKS]:  # agents ask for the same image at the same moment
            if found := self._find(key):
                return found
            buffer = io.BytesIO()
            self._images.open(case, max_side=side).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
            url = "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
            self._keep(key, url)
            return url

    def _find(self, key: tuple[str, int]) -> str | None:
        with self._guard:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def _keep(self, key: tuple[str, int], url: str) -> None:
        with self._guard:
            self._held[key] = url
            while len(self._held) > HELD:
                self._held.popitem(last=False)
