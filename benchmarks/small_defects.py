"""Generated pictures of a textured surface, some with a thin scratch or a small spot, and masks of these defects."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

SIDE = 256
SHARES = (0.005, 0.03)
"""Least and largest share of the area that a defect covers."""


class Surface(NamedTuple):
    """A picture, and a mask of its defect, ``(SIDE, SIDE)``; an empty one if it has none."""

    image: Image.Image
    mask: NDArray[np.bool_]


def surfaces(n: int, seed: int, *, defective: bool) -> list[Surface]:
    """The same ``n`` surfaces for the same seed; half of the defects are scratches, half are spots."""
    rng = np.random.default_rng([seed, int(defective)])
    return [_surface(rng, (_scratch if i % 2 else _spot) if defective else None) for i in range(n)]


def _surface(rng: np.random.Generator, kind: "object") -> Surface:
    fine, middle, coarse = (_noise(rng, sigma) for sigma in ((0.7, 3.0), 4.0, 24.0))
    grey, mask = 128 + 14 * fine + 8 * middle + 10 * coarse, np.zeros((SIDE, SIDE), bool)
    if callable(kind):
        mask = kind(rng, rng.uniform(*SHARES) * SIDE**2)
        grey += rng.choice([-1, 1]) * rng.uniform(25, 45) * gaussian_filter(mask.astype(float), 0.8)
    pixels = np.clip(grey + rng.normal(0, 2, grey.shape), 0, 255).astype(np.uint8)
    return Surface(Image.fromarray(pixels).convert("RGB"), mask)


def _noise(rng: np.random.Generator, sigma: float | tuple[float, float]) -> NDArray[np.float64]:
    smooth = gaussian_filter(rng.normal(size=(SIDE, SIDE)), sigma)
    return np.asarray(smooth / smooth.std())


def _spot(rng: np.random.Generator, area: float) -> NDArray[np.bool_]:
    down, across = np.mgrid[:SIDE, :SIDE]
    middle = rng.uniform(0.15, 0.85, 2) * SIDE
    return np.asarray((down - middle[0]) ** 2 + (across - middle[1]) ** 2 < area / np.pi)


def _scratch(rng: np.random.Generator, area: float) -> NDArray[np.bool_]:
    """A slightly bent line of 2 to 3.5 pixels."""
    down, across = np.mgrid[:SIDE, :SIDE]
    middle, turn, bend = rng.uniform(0.3, 0.7, 2) * SIDE, rng.uniform(0, np.pi), rng.normal(0, 0.0015)
    width = rng.uniform(2, 3.5)
    along = (down - middle[0]) * np.sin(turn) + (across - middle[1]) * np.cos(turn)
    beside = (down - middle[0]) * np.cos(turn) - (across - middle[1]) * np.sin(turn)
    inside = (np.abs(beside - bend * along**2) < width / 2) & (np.abs(along) < area / width / 2)
    return np.asarray(inside)
