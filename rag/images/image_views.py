"""Named views of an image: crops, and images with some cells covered."""

import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from doubleread.core.agent_ports import WHOLE
from doubleread.core.attribution import CELLS
from doubleread.core.errors import UnknownPart

CROPS: tuple[str, ...] = ("top-left", "top-right", "bottom-left", "bottom-right", "centre")
"""The crops of an image: 7/8 of each side, placed as in the standard five-crop test."""
_CROP_SHARE = 0.875
VIEWS_VERSION = f"srgb-crops{_CROP_SHARE}"
"""Part of cache keys; must change if a view name gives other pixels, as when colour profiles began to be converted."""
_CORNERS = dict(zip(CROPS, ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (1.0, 1.0), (0.5, 0.5)), strict=True))
_BYTES = -(-(CELLS**2) // 8)
_NAME = re.compile(rf"covered-1-([0-9a-f]{{{2 * _BYTES}}})")
"""The number in the name is part of cache keys; it must change if cells are covered in another way."""
_PARTS = 4
"""The covered cells are filled from the means of 4 × 4 parts of the image."""
_FINE, _SOFT = 8, 1.0
"""Pixels per cell side in the mask before it is enlarged, and the radius by which its edges are softened."""


def view(image: Image.Image, name: str) -> Image.Image:
    """Returns a named view: ``WHOLE``, one of ``CROPS``, or one with cells covered. Raises ``UnknownPart``."""
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
    """Returns the name of the view in which these cells, shape ``(CELLS, CELLS)``, are covered."""
    return f"covered-1-{np.packbits(cells).tobytes().hex()}"


def cover(image: Image.Image, name: str) -> Image.Image | None:
    """Returns the view of a name made by ``covered``; None for other names."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    bits = np.unpackbits(np.frombuffer(bytes.fromhex(found[1]), np.uint8), count=CELLS**2)
    mask = Image.fromarray(255 * np.kron(bits.reshape(CELLS, CELLS), np.ones((_FINE, _FINE), np.uint8)))
    soft = mask.filter(ImageFilter.GaussianBlur(_SOFT)).resize(image.size, Image.Resampling.BILINEAR)
    means = image.resize((_PARTS, _PARTS), Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)
    return Image.composite(means, image, soft)
