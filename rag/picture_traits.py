"""What a person sees in many pictures: darker, more blurred, greyer than others."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from doubleread.core.batch import Difference
from doubleread.core.types import Embeddings, Matrix, Vector
from doubleread.rag.picture_statistics import Statistics

Rows = Matrix | Embeddings
GREY = 0.03
"""Colour, relative to brightness, below which pictures are grey."""


class Trait(NamedTuple):
    """What a person sees in pictures, worked out of their statistics."""

    name: str
    value: Callable[[Statistics], Vector]
    more: str
    less: str
    ratio: bool = False
    """Compared on a logarithmic scale."""


def _of_brightness(value: Vector, s: Statistics) -> Vector:
    """Exposure scales contrast and colour too: what is left is their own change."""
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
    """In what a batch differs, given the trait of its pictures and of those it is compared with."""
    batch, trusted = float(np.median(ours)), float(np.median(theirs))
    if np.isclose(batch, trusted):
        batch, trusted = float(ours.mean()), float(theirs.mean())
    told = trait.more if batch > trusted else trait.less
    if trait.name == "colour" and batch < GREY <= trusted:
        told = "grey"
    return Difference(statistic=trait.name, told=told, batch=batch, trusted=trusted)


def traits_of(rows: Rows) -> Matrix:
    """The traits of pictures by their statistics, ``(n, traits)``."""
    s = Statistics.of_rows(rows)
    return np.column_stack([trait.value(s) for trait in TRAITS])


def scaled(traits: Matrix) -> Matrix:
    """Traits that are ratios, as logarithms."""
    ratios = np.array([trait.ratio for trait in TRAITS])
    return np.where(ratios, np.log(np.maximum(traits, 1e-4)), traits)
