"""Named views of an image: crops, and images with some of their cells covered."""

import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from doubleread.core.agent_ports import WHOLE
from doubleread.core.attribution import CELLS
from doubleread.core.errors import UnknownPart

CROPS: tuple[str, ...] = ("top-left", "top-right", "bottom-left", "bottom-right", "centre")
"""The crops of an image: seven eighths of each side, as in the classical five-crop test."""
_CROP_SHARE = 0.875
VIEWS_VERSION = f"crops{_CROP_SHARE}"
"""Changes when the same view name would give other pixels; cached encodings carry it."""
_CORNERS = dict(zip(CROPS, ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5)), strict=True))
_BYTES = -(-(CELLS**2) // 8)
_NAME = re.compile(rf"covered-1-([0-9a-f]{{{2 * _BYTES}}})")
"""The number changes when the same cells would be covered otherwise; cached encodings carry the name."""
_PARTS = 4
"""Parts a side whose means fill what is covered."""
_FINE, _SOFT = 8, 1.0
"""Pixels a side that a cell has in the mask before it is enlarged, and the radius by which its edges are softened."""


def view(image: Image.Image, name: str) -> Image.Image:
    """A named view: ``WHOLE``, one of ``CROPS``, or with cells covered (``occlusion``); raises ``UnknownPart``."""
    if name == WHOLE:
        return image
    if (partly := cover(image, name)) is not None:
        return partly
    if name not in _CORNERS:
        raise UnknownPart("view", name, (WHOLE, *CROPS))
    width, height = (max(1, round(side * _CROP_SHARE)) for side in image.size)
    x, y = _CORNERS[name]
    left, top = round((image.width - width) * x), round((image.height - height) * y)
    return image.crop((left, top, left + width, top + height))


def covered(cells: NDArray[np.bool_]) -> str:
    """The name of the view in which these cells, shape ``(CELLS, CELLS)``, are covered."""
    return f"covered-1-{np.packbits(cells).tobytes().hex()}"


def cover(image: Image.Image, name: str) -> Image.Image | None:
    """The view of that name; None for a name that ``covered`` does not give."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(found[1]), np.uint8), count=CELLS**2)
    mask = Image.fromarray(255 * np.kron(bits.reshape(CELLS, CELLS), np.ones((_FINE, _FINE), np.uint8)))
    soft = mask.filter(ImageFilter.GaussianBlur(_SOFT)).resize(image.size, Image.Resampling.BILINEAR)
    means = image.resize((_PARTS, _PARTS), Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)
    return Image.composite(means, image, soft)
