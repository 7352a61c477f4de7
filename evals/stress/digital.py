"""What processing and storage do to a picture."""

import io

import numpy as np
from numpy.random import Generator
from PIL import Image

from doubleread.evals.stress._pixels import Pixels, image_of, pixels_of, resized, smooth, unit


def contrast(pixels: Pixels, _rng: Generator, kept: float) -> Pixels:
    """Less contrast around the mean of each channel."""
    mean = pixels.mean(axis=(0, 1), keepdims=True)
    return np.asarray((pixels - mean) * np.float32(kept) + mean)


def elastic(pixels: Pixels, rng: Generator, reach: float) -> Pixels:
    """Stretched and squeezed like rubber, by about ``reach``."""
    from scipy.ndimage import map_coordinates  # noqa: PLC0415 - slow to import

    shape = pixels.shape
    size = np.float32(reach * unit(shape))
    rows, columns = np.indices(shape[:2], np.float32)
    places = np.stack([rows + size * smooth(shape, rng, 24), columns + size * smooth(shape, rng, 24)])
    channels = [map_coordinates(pixels[..., i], places, order=1, mode="mirror") for i in range(3)]
    return np.stack(channels, axis=2)


def pixelate(pixels: Pixels, _rng: Generator, share: float) -> Pixels:
    """Large square pixels: ``share`` of the reference's number a side."""
    small = resized(pixels, _reduced(pixels, share), Image.Resampling.BOX)
    return resized(small, pixels.shape[1::-1], Image.Resampling.NEAREST)


def jpeg(pixels: Pixels, _rng: Generator, quality: float) -> Pixels:
    """Compressed as JPEG."""
    file = io.BytesIO()
    image_of(pixels).save(file, "JPEG", quality=int(quality))
    return pixels_of(Image.open(file))


def scale(pixels: Pixels, _rng: Generator, share: float) -> Pixels:
    """Scaled down and up again: ``share`` of the reference's size is left."""
    small = resized(pixels, _reduced(pixels, share), Image.Resampling.BICUBIC)
    return resized(small, pixels.shape[1::-1], Image.Resampling.BICUBIC)


def rotation(pixels: Pixels, rng: Generator, degrees: float) -> Pixels:
    """Turned one way or the other; the corners mirror the picture."""
    way = 1 if rng.random() < 0.5 else -1
    height, width = pixels.shape[:2]
    wide = int(np.ceil((np.hypot(height, width) - min(height, width)) / 2)) + 1
    padded = image_of(np.pad(pixels, ((wide, wide), (wide, wide), (0, 0)), "symmetric"))
    turned = padded.rotate(way * degrees, Image.Resampling.BICUBIC)
    return pixels_of(turned.crop((wide, wide, wide + width, wide + height)))


def _reduced(pixels: Pixels, share: float) -> tuple[int, int]:
    factor = share / max(1.0, unit(pixels.shape))
    height, width = pixels.shape[:2]
    return max(1, round(width * factor)), max(1, round(height * factor))
