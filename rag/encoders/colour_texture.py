"""An encoder from hand-made histograms of colour and texture: it needs no weights and errs unlike trained encoders.

There are three blocks of texture (luminance and both colour differences) and one of colour. Each is the square root
of a histogram, so that the inner product of two vectors is the mean Bhattacharyya coefficient of their histograms
(Arandjelović & Zisserman 2012, "Three things everyone should know to improve object retrieval", section 3). Texture is
the joint histogram of rotation-invariant uniform local binary patterns and local contrast, at three scales (Ojala,
Pietikäinen & Mäenpää 2002, "Multiresolution gray-scale and rotation invariant texture classification", eq. 9–14). The
eight neighbours are pixels, not points interpolated on a circle: all sums are of whole numbers, and rotating the image
by 90° does not change its texture.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from doubleread.core.errors import EncoderError
from doubleread.core.types import Embeddings

Pixels: TypeAlias = NDArray[np.int16]
"""Shape ``(channels, side, side)``."""
SIDE = 192
"""Side of the square, in pixels, that images are resized to."""
SCALES = 3
"""Number of scales: patterns of single pixels, then of sums over squares of 2 × 2 and of 4 × 4."""
HSV_BINS = (12, 4, 4)
CONTRASTS = (0.5, 2.2, 6.9, 19.6)
"""Limits between contrast levels: standard deviation of the eight neighbours, e to the 0, 1, 2, 3 less ½."""
LEVELS = len(CONTRASTS) + 1
PATTERNS = 10
"""Rotation-invariant uniform patterns: 0 to 8 adjacent neighbours at least as bright; the last is for all others."""
_AROUND = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))


class ColourTexture:
    """Unit-length rows of 642 numbers: 192 of colour, then 150 of texture for each of Y, Cb and Cr."""

    fingerprint = "colour-texture-1"
    dim = int(np.prod(HSV_BINS)) + 3 * SCALES * PATTERNS * LEVELS

    def encode(self, images: Sequence[Image.Image]) -> Embeddings:
        """Returns unit-length rows of shape ``(len(images), 642)``."""
        rows = [_row(image) for image in images]
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)


def build(argument: str, *, device: str, checkpoint: Path | None, download: bool) -> ColourTexture:  # noqa: ARG001
    """Builds the encoder of the spec ``colour-texture``."""
    if argument or checkpoint is not None:
        raise EncoderError("colour-texture takes no model name and no checkpoint: it has no weights")
    return ColourTexture()


def _row(image: Image.Image) -> NDArray[np.float32]:
    square = image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    channels = np.asarray(square.convert("YCbCr")).transpose(2, 0, 1).astype(np.int16, order="C")
    blocks = [colours(np.asarray(square.convert("HSV")))[None], texture(channels)]
    roots = [np.sqrt(block / block.sum(axis=1, keepdims=True)) for block in blocks]
    row = np.concatenate([block.ravel() for block in roots]) / 2  # four blocks of unit length
    return row.astype(np.float32)


def colours(hsv: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Returns the joint histogram of hue, saturation and value of pixels ``(height, width, 3)``, shape ``(192,)``."""
    h, s, v = ((hsv[..., i].astype(np.int32) * n) >> 8 for i, n in enumerate(HSV_BINS))
    return np.bincount(((h * HSV_BINS[1] + s) * HSV_BINS[2] + v).ravel(), minlength=int(np.prod(HSV_BINS)))


def texture(channels: Pixels) -> NDArray[np.float64]:
    """Returns shares of pattern and contrast at each scale, shape ``(channels, 150)``, for 8-bit ``channels``."""
    parts, g, scale = [], channels, 1
    for _ in range(SCALES):
        parts.append(_shares(_UNIFORM[_patterns(g)] * np.uint8(LEVELS) + _contrasts(g, scale)))
        g, scale = _halved(g), 2 * scale
    return np.concatenate(parts, axis=1)


def _shares(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Returns the share of each code among a channel's pixels, shape ``(channels, 50)``."""
    flat = codes.reshape(len(codes), -1)
    return np.stack([np.bincount(one, minlength=PATTERNS * LEVELS) / one.size for one in flat])


def _patterns(g: Pixels) -> NDArray[np.uint8]:
    """Returns one bit for each neighbour, in order around the pixel: whether it is at least as bright."""
    centre = g[:, 1:-1, 1:-1]
    found = np.zeros(centre.shape, np.uint8)
    for bit, (y, x) in enumerate(_AROUND):
        found |= (_shifted(g, y, x) >= centre).view(np.uint8) << np.uint8(bit)
    return found


def _contrasts(g: Pixels, scale: int) -> NDArray[np.uint8]:
    """Returns the level of the neighbours' standard deviation, for values summed over squares of ``scale`` pixels.

    It uses integers: ``8·Σg² - (Σg)²`` is 64 times the variance.
    """
    wide = g.astype(np.int32)
    spread = 8 * _around(wide * wide) - _around(wide) ** 2
    found = np.zeros(spread.shape, np.uint8)
    for limit in CONTRASTS:
        found += spread >= int(64 * (limit * scale**2) ** 2)
    return found


def _around(g: NDArray[np.int32]) -> NDArray[np.int32]:
    """Sum of each inner pixel's eight neighbours."""
    rows: NDArray[np.int32] = g[:, :-2] + g[:, 1:-1] + g[:, 2:]
    return rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] - g[:, 1:-1, 1:-1]


def _halved(g: Pixels) -> Pixels:
    """Sums over squares of 2 × 2."""
    rows = g[:, ::2] + g[:, 1::2]
    return rows[..., ::2] + rows[..., 1::2]


def _shifted(g: Pixels, y: int, x: int) -> Pixels:
    return g[:, y : g.shape[1] - 2 + y, x : g.shape[2] - 2 + x]


def _uniform(pattern: int) -> int:
    """Returns the number of set bits if they are adjacent; 9 for any other pattern."""
    bits = [pattern >> i & 1 for i in range(8)]
    changes = sum(bits[i] != bits[i - 1] for i in range(8))
    return sum(bits) if changes <= 2 else PATTERNS - 1


_UNIFORM = np.array([_uniform(pattern) for pattern in range(256)], np.uint8)
