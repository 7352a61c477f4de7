"""Another background, where it is known what the background is."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from doubleread.evals.stress._pixels import Field, Pixels, clouds, unit

_RIM, _EXACT = 0.6, 0.6
"""Shares of the picture's rim, and of the background found from there, that must be of exactly one colour."""
_NEAR = 0.06
"""Beside it lies what compression made of that colour."""
_LEAST, _MOST = 0.05, 0.95


def background(pixels: Pixels, rng: Generator, opacity: float) -> Pixels | None:
    """Another background laid over the known one; None where it is not known."""
    mask = mask_of(pixels)
    if mask is None:
        return None
    cover = np.float32(opacity) * _feathered(mask, unit(pixels.shape))[..., None]
    return pixels * (1 - cover) + _scene(pixels, rng) * cover


def mask_of(pixels: Pixels) -> NDArray[np.bool_] | None:
    """Where the background is, shape ``(height, width)``: one uniform colour that reaches in from the rim.

    Pictures with an alpha channel are shown on white, so that what they leave out is such a background. None where the
    rim is not of one colour, or less than a twentieth of the picture would be left on either side.
    """
    from scipy.ndimage import label  # noqa: PLC0415 - slow to import

    rim = np.concatenate([pixels[0], pixels[-1], pixels[1:-1, 0], pixels[1:-1, -1]])
    colours, counts = np.unique(rim, axis=0, return_counts=True)
    if counts.max() < _RIM * len(rim):
        return None
    far = np.abs(pixels - colours[counts.argmax()]).max(axis=2)
    parts, _ = label(far <= _NEAR)
    outside = np.unique(np.concatenate([parts[0], parts[-1], parts[:, 0], parts[:, -1]]))
    mask = np.isin(parts, outside[outside > 0])
    known = _LEAST <= mask.mean() <= _MOST and (far[mask] == 0).mean() >= _EXACT
    return mask if known else None


def _feathered(mask: NDArray[np.bool_], size: float) -> Field:
    """1 in the background, 0 in the subject, soft between them; the subject loses a rim of a pixel."""
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - slow to import

    soft = gaussian_filter(mask.astype(np.float32), max(size, 0.5))
    return np.clip(soft * 2, 0, 1)


def _scene(pixels: Pixels, rng: Generator) -> Pixels:
    """Clouds between two colours."""
    dark, light = rng.uniform(0.1, 0.5, 3), rng.uniform(0.4, 0.9, 3)
    share = clouds(pixels.shape, rng, 0.7)[..., None]
    return np.asarray(dark + (light - dark) * share, np.float32)
