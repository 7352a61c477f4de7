"""Other light and other cameras."""

import numpy as np
from numpy.random import Generator

from doubleread.evals.stress._pixels import Pixels, grey_of


def greyscale(pixels: Pixels, _rng: Generator, kept: float) -> Pixels:
    """Less colour; ``kept`` 0 is a grey picture."""
    grey = grey_of(pixels)[..., None]
    return grey + (pixels - grey) * np.float32(kept)


def colour_cast(pixels: Pixels, rng: Generator, strength: float) -> Pixels:
    """Light of some colour."""
    hue = rng.uniform(0, 2 * np.pi)
    return pixels * (1 + strength * np.cos(hue - np.arange(3) * 2 * np.pi / 3)).astype(np.float32)


def white_balance(pixels: Pixels, rng: Generator, shift: float) -> Pixels:
    """Balanced for warmer or for colder light than there was."""
    way = shift if rng.random() < 0.5 else -shift
    return pixels * np.array([1 + way, 1, 1 - way], np.float32)
