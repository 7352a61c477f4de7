"""Views of an image with some of its cells covered, by which attribution finds what a reading rests on.

What is covered is replaced by smoothed means of large parts of the image, with soft edges: black or grey patches are
unlike anything an encoder has seen, and would be read for themselves (Petsiuk et al. 2018, "RISE", arXiv 1806.07421).
"""

import re

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from doubleread.core.attribution import CELLS

_BYTES = -(-(CELLS**2) // 8)
_NAME = re.compile(rf"covered-1-([0-9a-f]{{{2 * _BYTES}}})")
"""The number changes when the same cells would be covered otherwise; cached encodings carry the name."""
_PARTS = 4
"""Parts a side whose means fill what is covered."""
_FINE, _SOFT = 8, 1.0
"""Pixels a side that a cell has in the mask before it is enlarged, and the radius by which its edges are softened."""


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
