"""The corruptions there are. A new one is a function and a row in this table; everything else is derived from it.

The first fifteen are the types of ImageNet-C (Hendrycks and Dietterich 2019, "Benchmarking neural network robustness to
common corruptions and perturbations"), written independently; strengths follow it where the same parameter exists.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from doubleread.core.errors import DataError, UnknownPart
from doubleread.evals.stress import background_swap, blur, colour, digital, noise, weather
from doubleread.evals.stress._pixels import Pixels

SEVERITIES = (1, 2, 3, 4, 5)


class Corruption(NamedTuple):
    """One way to corrupt a picture, at five severities.

    Examples:
        >>> import numpy as np
        >>> from doubleread.evals.stress import CORRUPTIONS
        >>> grey = np.full((64, 64, 3), 0.5)
        >>> noise = CORRUPTIONS["gaussian-noise"].apply(grey, "any case id", severity=3)
        >>> noise.shape, CORRUPTIONS["gaussian-noise"].family
        ((64, 64, 3), 'noise')
    """

    name: str
    family: str
    """``noise``, ``blur``, ``weather``, ``digital``, ``colour`` or ``scene``."""
    about: str
    """What it looks like, in a few words."""
    change: Callable[..., Pixels | None]
    """Takes pixels (which it does not change), a random generator and a strength, and returns new pixels, or None if
    the corruption cannot be applied."""
    strengths: tuple[tuple[float, ...], ...]
    """What ``change`` takes, by severity."""

    def apply(self, pixels: Pixels, case: str, severity: int) -> Pixels | None:
        """Returns corrupted pixels, shape ``(height, width, 3)``, values 0 to 1.

        The random part depends on ``case`` and the corruption only, so a higher severity is the same noise, stronger.
        """
        seed = hashlib.sha256(f"{case}\0{self.name}".encode()).digest()
        return self.change(pixels, np.random.default_rng(list(seed)), *self.strengths[severity - 1])


def _row(
    family: str, name: str, about: str, change: Callable[..., Pixels | None], *strengths: float | tuple[float, ...]
) -> Corruption:
    return Corruption(name, family, about, change, tuple(s if isinstance(s, tuple) else (s,) for s in strengths))


_GLASS = ((1, 0.5), (2, 0.6), (3, 0.8), (4, 1), (6, 1.2))
"""How far pixels come from, and the blur afterwards."""
_SNOW = ((0.004, 4, 0.1), (0.008, 5, 0.16), (0.013, 6, 0.22), (0.02, 7, 0.28), (0.03, 8, 0.34))
"""Share of places with a flake, the length of its streak, and how pale the scene becomes."""
_FROST = ((0.9, 0.35), (0.8, 0.5), (0.7, 0.65), (0.62, 0.75), (0.55, 0.9))
"""What is left of the picture's light, and the brightness of the ice."""
_ROWS = (
    _row("noise", "gaussian-noise", "grain, as in low light", noise.gaussian, 0.08, 0.12, 0.18, 0.26, 0.38),
    _row("noise", "shot-noise", "too few photons", noise.shot, 60, 25, 12, 5, 3),
    _row("noise", "impulse-noise", "dead and hot pixels", noise.impulse, 0.03, 0.06, 0.09, 0.17, 0.27),
    _row("blur", "defocus-blur", "out of focus", blur.defocus, 2, 3, 4.5, 6.5, 9),
    _row("blur", "glass-blur", "seen through frosted glass", blur.glass, *_GLASS),
    _row("blur", "motion-blur", "moved while it was taken", blur.motion, 6, 10, 15, 21, 28),
    _row("blur", "zoom-blur", "zoomed while it was taken", blur.zoom, 1.06, 1.11, 1.17, 1.24, 1.33),
    _row("weather", "snow", "falling snow", weather.snow, *_SNOW),
    _row("weather", "frost", "ice on the lens", weather.frost, *_FROST),
    _row("weather", "fog", "haze", weather.fog, 0.6, 1, 1.5, 2.2, 3),
    _row("weather", "brightness", "overexposed", weather.brightness, 0.2, 0.4, 0.7, 1.1, 1.6),
    _row("digital", "contrast", "washed out", digital.contrast, 0.6, 0.45, 0.3, 0.18, 0.08),
    _row("digital", "elastic", "warped", digital.elastic, 2, 3.5, 5, 7, 9.5),
    _row("digital", "pixelate", "large square pixels", digital.pixelate, 0.6, 0.45, 0.33, 0.25, 0.18),
    _row("digital", "jpeg", "compressed too much", digital.jpeg, 25, 18, 15, 10, 7),
    _row("digital", "scale", "scaled down and up again", digital.scale, 0.5, 0.35, 0.25, 0.18, 0.12),
    _row("colour", "greyscale", "less colour, none at severity 5", colour.greyscale, 0.8, 0.6, 0.4, 0.2, 0),
    _row("colour", "colour-cast", "light of another colour", colour.colour_cast, 0.12, 0.24, 0.36, 0.5, 0.7),
    _row("colour", "white-balance", "too warm or too cold", colour.white_balance, 0.08, 0.16, 0.25, 0.35, 0.5),
    _row("scene", "rotation", "rotated by up to 45°", digital.rotation, 5, 10, 20, 30, 45),
    _row("scene", "background", "another background", background_swap.background, 0.2, 0.4, 0.6, 0.8, 1),
)

CORRUPTIONS: Mapping[str, Corruption] = MappingProxyType({one.name: one for one in _ROWS})
"""All corruptions, by name."""
FAMILIES = tuple(dict.fromkeys(one.family for one in _ROWS))


def chosen(names: Iterable[str]) -> tuple[Corruption, ...]:
    """The corruptions of these names or families, in the table's order; all without a name. Raises ``UnknownPart``."""
    wanted = set(names)
    if unknown := sorted(wanted - {*CORRUPTIONS, *FAMILIES}):
        raise UnknownPart("corruption", unknown[0], (*FAMILIES, *CORRUPTIONS))
    return tuple(one for one in _ROWS if not wanted or wanted & {one.name, one.family})


def severities(words: str) -> tuple[int, ...]:
    """``1,3,5`` or ``1-5`` as numbers, in order. Raises ``DataError`` for anything else."""
    found = set[int]()
    for part in words.split(","):
        low, dash, high = (one.strip() for one in part.partition("-"))
        if not (low.isdigit() and (high.isdigit() or not dash)):
            raise DataError(f"{words!r} is not a list of severities: write 1,3,5 or 1-5")
        found |= set(range(int(low), int(high or low) + 1))
    return checked(sorted(found))


def checked(wanted: Sequence[int]) -> tuple[int, ...]:
    """Severities that exist, in order, once. Raises ``DataError`` for others, or for none."""
    if not wanted or set(wanted) - set(SEVERITIES):
        raise DataError(
            f"severities are {SEVERITIES[0]} to {SEVERITIES[-1]}, not {', '.join(map(str, wanted)) or 'none'}"
        )
    return tuple(sorted(set(wanted)))
