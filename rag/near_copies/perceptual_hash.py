"""64 bits that stay nearly the same when a picture is re-encoded, resized, lit otherwise or cropped a little.

The DCT hash: grey, shrunk to 32 × 32, the 8 × 8 lowest frequencies of its cosine transform, one bit each for being
above their median (C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, section 3.2).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BITS = 64
_SIDE, _LOW = 32, 8
_WAVES = np.cos(np.pi / _SIDE * np.outer(np.arange(_LOW), np.arange(_SIDE) + 0.5))
"""The eight lowest cosine waves, a row each (DCT-II)."""


def perceptual_hash(image: Image.Image) -> int:
    """The hash of an image, whatever its size."""
    pixels = np.asarray(image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX), float)
    low = np.round(_WAVES @ pixels @ _WAVES.T, 6).ravel()  # rounded: what is zero must not be a coin's toss
    return int.from_bytes(np.packbits(low > np.median(low[1:])).tobytes(), "big")


def in_hex(value: int) -> str:
    """A hash as it is stored: sixteen hexadecimal digits."""
    return f"{value:016x}"


def distances(first: NDArray[np.uint64], second: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Bits in which hashes differ (Hamming distance, 0 to 64), broadcast."""
    differing: NDArray[np.uint8] = np.bitwise_count(first ^ second)
    return differing
