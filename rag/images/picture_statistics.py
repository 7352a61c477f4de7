"""Simple statistics of pictures, and the visible traits derived from them, such as darkness, blur and colour.

Statistics are computed on a copy of at most 256 pixels a side, so that they hardly depend on the resolution. Most use
*lit* pixels only: a background that was masked black says nothing about exposure, contrast or colour.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from doubleread.core.batch import Difference
from doubleread.core.types import Embeddings, Matrix, Vector

SIDE = 256
"""Longer side of the copy, in pixels."""
DARK, BRIGHT = 8, 247
"""Luminance (0 to 255) up to which a pixel is black, and from which it is white."""
LARGE = 512
"""The side length is capped at this many pixels, since images are often opened no larger."""
FEW_LIT = 0.01
"""If fewer pixels than this share are lit, all pixels are used."""
Rows = Matrix | Embeddings
GREY = 0.03
"""Colour relative to brightness below which pictures are grey."""


class StatisticColumns(NamedTuple):
    """Each field is one number a picture, or a column for many pictures; luminance and colours lie in 0 to 1."""

    brightness: Vector
    """Mean luminance of the lit pixels."""
    dark: Vector
    """Share of black pixels."""
    bright: Vector
    """Share of white pixels."""
    contrast: Vector
    """Standard deviation of the luminance of the lit pixels."""
    colour: Vector
    """Mean difference between the strongest and the weakest channel of the lit pixels; 0 for a grey picture."""
    red_cast: Vector
    """Mean of red minus green over the lit pixels."""
    blue_cast: Vector
    """Mean of blue minus green over the lit pixels."""
    sharpness: Vector
    """Mean squared Laplacian of the luminance over its variance, on lit pixels with lit neighbours."""
    aspect: Vector
    """Width over height."""
    side: Vector
    """Longer side in pixels, at most 512."""

    @classmethod
    def of_rows(cls, rows: Matrix | Embeddings) -> "StatisticColumns":
        """Returns the columns of rows ``(n, 10)``."""
        return cls(*np.asarray(rows, float).T)


NAMES = StatisticColumns._fields


class PictureStatistics:
    """Computes statistics through the encoder interface, so that they are cached like embeddings; not unit-length."""

    fingerprint = "picture-statistics-1"
    dim = len(NAMES)

    def encode(self, images: Sequence[Image.Image]) -> Embeddings:
        """Returns rows of shape ``(len(images), 10)``, columns in the order of ``NAMES``."""
        rows = [picture_statistics(image) for image in images]
        return np.stack(rows).astype(np.float32) if rows else np.zeros((0, self.dim), np.float32)


def picture_statistics(image: Image.Image) -> Vector:
    """Returns the statistics of one 8-bit RGB picture, shape ``(10,)``, in the order of ``NAMES``."""
    small = _bounded(image)
    luma = np.asarray(small.convert("L"))
    black = luma <= DARK
    dark = float(black.mean())
    lit = ~black if dark <= 1 - FEW_LIT else np.ones_like(black)
    red, green, blue = (np.asarray(channel)[lit] for channel in small.split())
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    light = luma[lit]
    variance, bright = float(light.var(dtype=np.float32)), float((luma >= BRIGHT).mean())
    sharpness = (_roughness(luma.astype(np.int16), lit) + 1) / (variance + 1)  # rounding alone gives about 1
    middle = green.mean()
    of_255 = [light.mean(), np.sqrt(variance), spread.mean(), red.mean() - middle, blue.mean() - middle]
    brightness, contrast, colour, red_cast, blue_cast = (float(value) / 255 for value in of_255)
    width, height = image.size
    return np.array(
        [
            brightness,
            dark,
            bright,
            contrast,
            colour,
            red_cast,
            blue_cast,
            sharpness,
            width / height,
            min(LARGE, max(width, height)),
        ]
    )


def _bounded(image: Image.Image) -> Image.Image:
    share = SIDE / max(image.size)
    if share >= 1:
        return image
    width, height = (max(3, round(side * share)) for side in image.size)
    return image.resize((width, height), Image.Resampling.BOX)


def _roughness(luma: NDArray[np.int16], lit: NDArray[np.bool_]) -> float:
    """Returns the mean squared Laplacian of pixels that are lit with their four neighbours; 0 if there are none."""
    inner = lit[1:-1, 1:-1] & lit[:-2, 1:-1] & lit[2:, 1:-1] & lit[1:-1, :-2] & lit[1:-1, 2:]
    around = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:]
    found = (4 * luma[1:-1, 1:-1] - around)[inner].astype(np.float32)
    return float(np.mean(found * found)) if len(found) else 0.0


class Trait(NamedTuple):
    """A visible property of pictures, computed from their statistics."""

    name: str
    value: Callable[[StatisticColumns], Vector]
    more: str
    less: str
    ratio: bool = False
    """Whether it is compared on a logarithmic scale."""


def _of_brightness(value: Vector, s: StatisticColumns) -> Vector:
    """Returns the residual after exposure, which also scales contrast and colour, is removed."""
    return np.asarray(value / (s.brightness + 0.01))


TRAITS = (
    Trait("brightness", lambda s: s.brightness, "brighter", "darker", ratio=True),
    Trait("sharpness", lambda s: s.sharpness, "sharper", "more blurred", ratio=True),
    Trait("colour", lambda s: _of_brightness(s.colour, s), "more colourful", "less colourful"),
    Trait("contrast", lambda s: _of_brightness(s.contrast, s), "richer in contrast", "poorer in contrast"),
    Trait("red cast", lambda s: _of_brightness(s.red_cast, s), "redder", "greener"),
    Trait("blue cast", lambda s: _of_brightness(s.blue_cast, s), "bluer", "yellower"),
    Trait("black share", lambda s: s.dark, "with more black", "with less black"),
    Trait("white share", lambda s: s.bright, "with more white", "with less white"),
    Trait("width/height", lambda s: s.aspect, "wider", "narrower", ratio=True),
    Trait("longer side", lambda s: s.side, "larger", "smaller", ratio=True),
)


def difference(trait: Trait, ours: Vector, theirs: Vector) -> Difference:
    """Compares a trait of a batch (``ours``) with that of reference pictures (``theirs``)."""
    batch, trusted = float(np.median(ours)), float(np.median(theirs))
    if np.isclose(batch, trusted):
        batch, trusted = float(ours.mean()), float(theirs.mean())
    told = trait.more if batch > trusted else trait.less
    if trait.name == "colour" and batch < GREY <= trusted:
        told = "grey"
    return Difference(statistic=trait.name, told=told, batch=batch, trusted=trusted)


def traits_of(rows: Rows) -> Matrix:
    """Returns the traits of pictures from their statistics, ``(n, traits)``."""
    s = StatisticColumns.of_rows(rows)
    return np.column_stack([trait.value(s) for trait in TRAITS])


def scaled(traits: Matrix) -> Matrix:
    """Returns the traits with ratios as logarithms."""
    ratios = np.array([trait.ratio for trait in TRAITS])
    return np.where(ratios, np.log(np.maximum(traits, 1e-4)), traits)
