"""Blur of lenses, glass and movement."""

import numpy as np
from numpy.random import Generator
from PIL import Image

from doubleread.evals.stress._pixels import Pixels, grained, image_of, unit

_LAYERS = 12
_NEAREST = 0.75
"""How far glass moves pixels at least: in small pictures too some must come from next door."""
_FINE = 8
"""Samples along the side of a pixel, for the rim of a disc."""


def defocus(pixels: Pixels, _rng: Generator, radius: float) -> Pixels:
    """Out of focus: every point is a disc."""
    from scipy.signal import fftconvolve  # noqa: PLC0415 - slow to import

    radius *= unit(pixels.shape)
    reach = int(np.ceil(radius))
    places = (np.arange((2 * reach + 1) * _FINE) + 0.5) / _FINE - reach - 0.5
    inside = places[:, None] ** 2 + places**2 <= max(radius, 0.5) ** 2
    disc = inside.reshape(2 * reach + 1, _FINE, 2 * reach + 1, _FINE).sum(axis=(1, 3)).astype(np.float32)
    padded = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), "symmetric")
    return np.asarray(fftconvolve(padded, (disc / disc.sum())[..., None], "valid", axes=(0, 1)), np.float32)


def glass(pixels: Pixels, rng: Generator, reach: float, deviation: float) -> Pixels:
    """Frosted glass: every pixel comes from somewhere near, within ``reach``."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - slow to import

    height, width = pixels.shape[:2]
    size = unit(pixels.shape)
    far = max(reach * size, _NEAREST)
    down, along = (np.rint(far * (2 * grained((height, width), rng.random) - 1)) for _ in range(2))
    rows = np.clip(np.arange(height)[:, None] + down, 0, height - 1).astype(np.intp)
    columns = np.clip(np.arange(width) + along, 0, width - 1).astype(np.intp)
    blur = (deviation * size, deviation * size, 0)
    return np.asarray(gaussian_filter(pixels[rows, columns], blur, mode="nearest"), np.float32)


def motion(pixels: Pixels, rng: Generator, length: float) -> Pixels:
    """Moved while the shutter was open, in some direction."""
    return streaked(pixels, length * unit(pixels.shape), float(rng.uniform(0, np.pi)))


def streaked(pixels: Pixels, length: float, angle: float) -> Pixels:
    """The mean along a line of ``length`` pixels of this picture."""
    steps = max(2, round(length) + 1)
    along = np.linspace(-length / 2, length / 2, steps)
    down, right = (np.rint(along * direction).astype(int) for direction in (np.sin(angle), np.cos(angle)))
    reach = int(np.ceil(length / 2)) + 1
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((reach, reach), (reach, reach), (0, 0)), "edge")
    total = np.zeros_like(pixels)
    for y, x in zip(reach + down, reach + right, strict=True):
        total += padded[y : y + height, x : x + width]
    return total / np.float32(steps)


def zoom(pixels: Pixels, _rng: Generator, most: float) -> Pixels:
    """Zoomed while the shutter was open, up to ``most`` times."""
    image, total = image_of(pixels), np.zeros_like(pixels)
    width, height = image.size
    for factor in np.linspace(1, most, _LAYERS):
        x, y = (width - width / factor) / 2, (height - height / factor) / 2
        layer = image.resize(image.size, Image.Resampling.BILINEAR, (x, y, width - x, height - y))
        total += np.asarray(layer, np.float32)
    return total / np.float32(255 * _LAYERS)
