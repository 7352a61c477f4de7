"""Snow, frost, fog and bright light, drawn without photographs of them."""

import numpy as np
from numpy.random import Generator
from PIL import Image

from doubleread.evals.stress._pixels import Field, Pixels, Shape, clouds, grey_of, unit
from doubleread.evals.stress.blur import streaked

_STRANDS = 7
"""Directions that crystals of frost grow in."""


def snow(pixels: Pixels, rng: Generator, density: float, streak: float, whitening: float) -> Pixels:
    """Falling flakes, and the paler scene behind them."""
    pale = np.maximum(pixels, (grey_of(pixels) * 1.5 + 0.5)[..., None])
    scene = pixels * (1 - whitening) + pale * whitening
    angle = float(rng.uniform(-0.9, -0.3))
    near, far = (_flakes(pixels.shape, rng, density, streak, size, angle) for size in (3.5, 2.0))
    return np.asarray(scene + (near + far)[..., None], np.float32)


def _flakes(shape: Shape, rng: Generator, density: float, streak: float, size: float, angle: float) -> Field:
    height, width = shape[:2]
    step = max(1.0, size * unit(shape))
    grid = (int(np.ceil(height / step)) + 1, int(np.ceil(width / step)) + 1)
    chance, light = rng.random(grid), rng.uniform(0.6, 1.0, grid)
    spots = np.where(chance < density, light, 0).astype(np.float32)
    large = np.asarray(Image.fromarray(spots).resize((width, height), Image.Resampling.BILINEAR), np.float32)
    blurred = streaked(large[..., None], streak * unit(shape), angle)[..., 0]
    return np.asarray(np.clip(blurred * (1 + streak / 8), 0, 1), np.float32)


def frost(pixels: Pixels, rng: Generator, kept: float, ice: float) -> Pixels:
    """Crystals of ice on the lens."""
    cover = np.float32(ice) * _ice(pixels.shape, rng)
    return np.asarray(pixels * kept + cover[..., None] * np.array([0.88, 0.95, 1.0]), np.float32)


def _ice(shape: Shape, rng: Generator) -> Field:
    """Bright strands in several directions, thickest where a cloudy field is high."""
    base = rng.uniform(0, np.pi)
    strands = np.zeros(shape[:2], np.float32)
    for turn in range(_STRANDS):
        sparks = (rng.random(shape[:2]) < 0.02 / max(1.0, unit(shape))).astype(np.float32)
        line = streaked(sparks[..., None], (18 + 6 * turn) * unit(shape), base + turn * np.pi / _STRANDS)[..., 0]
        strands = np.maximum(strands, line / max(float(line.max()), 1e-6))
    patches = np.clip((clouds(shape, rng, 0.6, 64) - 0.25) * 1.8, 0, 1)
    return np.asarray(np.clip(patches * (0.55 + 0.9 * strands), 0, 1), np.float32)


def fog(pixels: Pixels, rng: Generator, thickness: float) -> Pixels:
    """Light scattered by a cloudy haze; the brightest stays as bright."""
    brightest = float(pixels.max()) or 1.0
    haze = np.float32(thickness) * clouds(pixels.shape, rng)[..., None]
    return np.asarray((pixels + haze) * (brightest / (brightest + thickness)), np.float32)


def brightness(pixels: Pixels, _rng: Generator, gain: float) -> Pixels:
    """More light, so that bright parts burn out."""
    return pixels * np.float32(1 + gain)
