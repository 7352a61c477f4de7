"""How images are read: how large they may be, and what becomes of more than 8 bits."""

import hashlib
import threading
from dataclasses import dataclass, replace
from typing import Literal

MAX_MEGAPIXELS = 120
Depth = Literal["refuse", "range", "percentile"]


@dataclass(frozen=True)
class ImagePolicy:
    """How images are read. A panel keeps the policy it was fitted with, apart from ``max_pixels``."""

    max_pixels: int = MAX_MEGAPIXELS * 1_000_000
    depth: Depth = "refuse"
    """What becomes of images with more than 8 bits a channel."""
    limits: tuple[float, float] | None = None
    """Values that become black and white; learned from the images that a panel is fitted on."""
    frame: int = 0
    """Which frame or page of a file that has several is read, from 1; 0 refuses such files."""
    stretch: bool = False
    """Whether the darkest and brightest value of a deep image become black and white. Only for showing images."""

    @property
    def mark(self) -> str:
        """Part of an encoder's fingerprint: the range that a panel learned."""
        if self.limits is None:
            return ""
        return "-depth-" + hashlib.sha256(repr(self.limits).encode()).hexdigest()[:12]


class _Shown:
    """The policy for showing images: what some panel of this process may read can be shown too."""

    def __init__(self) -> None:
        self._policy, self._guard = ImagePolicy(stretch=True), threading.Lock()

    def allow(self, policy: ImagePolicy) -> None:
        with self._guard:
            most = max(self._policy.max_pixels, policy.max_pixels)
            self._policy = replace(self._policy, max_pixels=most, frame=policy.frame or self._policy.frame)

    def __call__(self) -> ImagePolicy:
        return self._policy


shown_policy = _Shown()
"""Returns the policy for thumbnails, previews and exports."""
