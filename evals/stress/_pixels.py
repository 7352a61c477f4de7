"""Pixels as numbers, and the random fields that corruptions are made of.

Lengths are given in pixels of a picture whose shorter side is 224, as in ImageNet-C, and grow with the picture.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

Pixels: TypeAlias = NDArray[np.float32]
"""Shape ``(height, width, 3)``, from 0 to 1. Corruptions may leave that range; ``image_of`` cuts it off."""
Field: TypeAlias = NDArray[np.float32]
"""One number a pixel, shape ``(height, width)``."""
Shape: TypeAlias = tuple[int, ...]
REFERENCE = 224


def pixels_of(image: Image.Image) -> Pixels:
    """The pixels of an image, not to be written to."""
    pixels = np.asarray(image.convert("RGB"), np.float32) / np.float32(255)
    pixels.flags.writeable = False
    return pixels


def image_of(pixels: Pixels) -> Image.Image:
    """Pixels as an 8-bit RGB image."""
    return Image.fromarray((np.clip(pixels, 0, 1) * 255 + np.float32(0.5)).astype(np.uint8))


def unit(shape: Shape) -> float:
    """Pixels of this picture to one of the reference."""
    return min(shape[:2]) / REFERENCE


def coarse(shape: Shape) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """For each row and each column the grain that it lies in: a pixel, or several in pictures above the reference."""
    size = max(1.0, unit(shape))
    rows, columns = ((np.arange(side) / size).astype(np.intp) for side in shape[:2])
    return rows, columns


def grained(shape: Shape, draw: Callable[[Shape], NDArray[np.floating]]) -> Field:
    """A field of ``shape`` whose grains are ``draw``n on their own; a third axis stays as it is."""
    rows, columns = coarse(shape)
    grains = draw((rows[-1] + 1, columns[-1] + 1, *shape[2:]))
    return np.asarray(grains[np.ix_(rows, columns)], np.float32)


def smooth(shape: Shape, rng: Generator, length: float) -> Field:
    """A random field of mean 0 and about unit deviation that changes over ``length`` reference pixels."""
    height, width = shape[:2]
    step = max(1.0, length * unit(shape))
    knots = rng.standard_normal((int(np.ceil(height / step)) + 1, int(np.ceil(width / step)) + 1)).astype(np.float32)
    return np.asarray(Image.fromarray(knots).resize((width, height), Image.Resampling.BICUBIC), np.float32)


def clouds(shape: Shape, rng: Generator, roughness: float = 0.55, coarsest: float = 96) -> Field:
    """A cloudy field from 0 to 1: octaves of smooth fields, each half as wide and ``roughness`` times as strong."""
    total, strength, length = np.zeros(shape[:2], np.float32), 1.0, coarsest
    while length >= 2:
        total += np.float32(strength) * smooth(shape, rng, length)
        strength, length = strength * roughness, length / 2
    total -= total.min()
    return total / max(float(total.max()), 1e-6)


def grey_of(pixels: Pixels) -> Field:
    """Luma (ITU-R BT.601)."""
    return np.asarray(pixels @ np.array([0.299, 0.587, 0.114], np.float32), np.float32)


def resized(pixels: Pixels, size: tuple[int, int], how: Image.Resampling) -> Pixels:
    """The pixels at another ``(width, height)``, through 8 bits."""
    return pixels_of(image_of(pixels).resize(size, how))
