"""Noise of sensors and of transmission."""

import numpy as np
from numpy.random import Generator

from doubleread.evals.stress._pixels import Pixels, coarse, grained


def gaussian(pixels: Pixels, rng: Generator, deviation: float) -> Pixels:
    """Normal noise in every channel."""
    return pixels + np.float32(deviation) * grained(pixels.shape, rng.standard_normal)


def shot(pixels: Pixels, rng: Generator, photons: float) -> Pixels:
    """Poisson noise of so many photons in a white pixel."""
    rows, columns = coarse(pixels.shape)
    places = (np.unique(rows, return_index=True)[1], np.unique(columns, return_index=True)[1])
    light = pixels[np.ix_(*places)].astype(float)
    error = rng.poisson(light * photons) / photons - light
    return np.asarray(pixels + error[np.ix_(rows, columns)], np.float32)


def impulse(pixels: Pixels, rng: Generator, share: float) -> Pixels:
    """Salt and pepper in a share of the values."""
    chance = grained(pixels.shape, rng.random)
    salted = np.where(chance > 1 - share / 2, np.float32(1), pixels)
    return np.where(chance < share / 2, np.float32(0), salted)
