"""How well two pictures agree in detail after one is laid over the other: the verification of near copies.

The pose is found on few pixels and refined by Gauss–Newton steps on position, scale, brightness and contrast (Lucas and
Kanade, "An Iterative Image Registration Technique", 1981), at 32, 64 and 128 pixels a side. Then the pictures are cut
into cells of 8 × 8 pixels, and the mean of every row and column of a cell is removed. That takes away brightness,
gradients, borders and grid lines, which different pictures of one kind share, and leaves what only copies share. The
agreement is the lower quartile of the cells' correlations, averaged over 64 and 128 pixels.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Vector
from doubleread.rag.near_copies._picture_poses import Pixels, find_poses, lowered, turned
from doubleread.rag.near_copies.thumbnails import SIDE, Stack

_CELL = 8
_FLOOR = 0.15
"""Standard deviation of a cell's detail, of 255 levels of brightness, below which it shows nothing."""
_FEWEST = 12
"""Fewest cells with detail on which two pictures are compared; pictures with fewer agree by 0."""
_HOPELESS = 0.2
"""Agreement at 64 pixels below which pairs are not compared at 128."""
_DETAILED = 96
"""Shorter side of a picture from which it has detail at 128 pixels."""
_SMALL = 0.75
"""Part of the agreement at 64 pixels that counts for pictures that are smaller: there is less to tell them apart."""
_AT_ONCE = 256
_SCALES, _SHIFT = (0.75, 1.34), 0.16
"""Limits of the refined scale, and of the shift as a share of the side."""


class _Laid(NamedTuple):
    """Pairs of pictures at one resolution: ``moved`` is to be laid over ``fixed``."""

    fixed: Pixels
    moved: Pixels


def agreement(first: Stack, second: Stack) -> Vector:
    """Returns for each pair how well the pictures agree in detail, about -0.5 to 1; 0 where there is too little detail.

    Unlike pictures are below 0.4, copies by re-encoding, scaling, light, flips, quarter turns or crops above 0.5.
    """
    parts = [slice(start, start + _AT_ONCE) for start in range(0, len(first.pixels), _AT_ONCE)]
    found = [
        _agreement(Stack(first.pixels[one], first.sides[one]), Stack(second.pixels[one], second.sides[one]))
        for one in parts
    ]
    return np.concatenate(found) if found else np.zeros(0)


def show_detail(low: Pixels) -> NDArray[np.bool_]:
    """Whether pictures reduced to 32 pixels a side, ``(n, 32, 32)``, show any detail worth comparing."""
    if not len(low):
        return np.zeros(0, bool)
    spread = np.sqrt((_details(_smooth(low)) ** 2).mean((-1, -2)))
    return np.asarray((spread > _FLOOR).mean(1) >= _FEWEST / (64 // _CELL) ** 2)


def _agreement(first: Stack, second: Stack) -> Vector:
    poses = find_poses(lowered(first.pixels, 64), lowered(second.pixels, 64))
    laid = _turned_pairs(first.pixels, second.pixels, poses.swapped, poses.turn)
    place = np.stack([poses.scale[:, 0], poses.shift[:, 0], poses.scale[:, 1], poses.shift[:, 1]], axis=1)
    place = _refined(_at(laid, 32), place, 4)
    middle = _at(laid, 64)
    place = _refined(middle, place, 4)
    found = _told_by_cells(middle, place)
    detailed = np.minimum(first.sides, second.sides) >= _DETAILED
    found[~detailed] *= _SMALL
    fine = np.flatnonzero(detailed & (found >= _HOPELESS))
    if len(fine):
        near = _at(_Laid(laid.fixed[fine], laid.moved[fine]), SIDE)
        found[fine] = (found[fine] + _told_by_cells(near, _refined(near, place[fine], 3))) / 2
    return found


def _turned_pairs(first: Pixels, second: Pixels, swapped: NDArray[np.bool_], turn: NDArray[np.int64]) -> _Laid:
    swap = swapped[:, None, None]
    smaller = np.where(swap, first, second)
    fixed = np.stack([turned(one)[number] for one, number in zip(smaller, turn, strict=True)])
    return _Laid(fixed, np.where(swap, second, first))


def _at(laid: _Laid, side: int) -> _Laid:
    return _Laid(_smooth(lowered(laid.fixed, side)), _smooth(lowered(laid.moved, side)))


def _smooth(pixels: Pixels) -> Pixels:
    from scipy.ndimage import gaussian_filter  # noqa: PLC0415 - heavy, and needed only for near copies

    found: Pixels = gaussian_filter(pixels, (0, 0.8, 0.8), mode="nearest")
    return found


def _sampled(pixels: Pixels, place: Pixels) -> tuple[Pixels, NDArray[np.bool_]]:
    """Returns pictures read at scaled and shifted positions, and where these lie inside, ``(n, side, side)`` each."""
    side = pixels.shape[-1]
    centred = np.arange(side, dtype=np.float32) - (side - 1) / 2
    along, down = (
        (side - 1) / 2 + place[:, i, None] * centred + place[:, i + 1, None] * np.float32(side) for i in (0, 2)
    )
    read = np.matmul(np.matmul(_between(down, side), pixels), np.swapaxes(_between(along, side), 1, 2))
    inside = [(one >= -0.5) & (one <= side - 0.5) for one in (down, along)]
    return read, inside[0][:, :, None] & inside[1][:, None, :]


def _between(positions: Pixels, side: int) -> Pixels:
    """Weights of linear interpolation, ``(n, side, side)``."""
    apart = np.abs(np.clip(positions, 0, side - 1)[..., None] - np.arange(side, dtype=np.float32))
    weights: Pixels = np.clip(1 - apart, 0, None).astype(np.float32)
    return weights


def _refined(laid: _Laid, place: Pixels, steps: int) -> Pixels:
    """Improves the place of each pair by so many Gauss–Newton steps."""
    side = laid.fixed.shape[-1]
    centred = ((np.arange(side) - (side - 1) / 2) / side).astype(np.float32)
    for _ in range(steps):
        read, inside = _sampled(laid.moved, place)
        down, along = np.gradient(read, axis=(1, 2))
        along, down = along * side / place[:, 0, None, None], down * side / place[:, 2, None, None]
        columns = [along * centred, along, down * centred[:, None], down, read, np.ones_like(read)]
        place = place + _step(np.stack(columns, axis=1), laid.fixed, inside)
        place[:, [0, 2]] = np.clip(place[:, [0, 2]], *_SCALES)
        place[:, [1, 3]] = np.clip(place[:, [1, 3]], -_SHIFT, _SHIFT)
    return place


def _step(columns: Pixels, fixed: Pixels, inside: NDArray[np.bool_]) -> Pixels:
    """Solves for one step, ``(n, 4)``; brightness and contrast are solved for along with it and dropped."""
    n = len(columns)
    known = (columns * inside[:, None]).reshape(n, 6, -1)
    normal = np.matmul(known, np.swapaxes(known, 1, 2)).astype(float)
    wanted = np.matmul(known, (fixed * inside).reshape(n, -1, 1)).astype(float)
    damping = np.einsum("nii->ni", normal) * np.array([1e-3] * 4 + [1e-6] * 2) + 1e-6
    normal[:, range(6), range(6)] += damping
    found = np.linalg.solve(normal, wanted)[..., 0]
    contrast = np.where(np.abs(found[:, 4:5]) < 0.05, 0.05, found[:, 4:5])
    most = np.array([0.05, 1 / 32, 0.05, 1 / 32])
    return np.clip(found[:, :4] / contrast, -most, most).astype(np.float32)


def _told_by_cells(laid: _Laid, place: Pixels) -> Vector:
    """Returns the lower quartile of the correlations of cells with detail; 0 where there are too few."""
    read, inside = _sampled(laid.moved, place)
    one, other = _details(laid.fixed), _details(read)
    spread = np.sqrt((one**2).mean((-1, -2))), np.sqrt((other**2).mean((-1, -2)))
    shown = _cells(inside).all((-1, -2)) & (np.maximum(*spread) > _FLOOR)
    correlation = (one * other).mean((-1, -2)) / np.maximum(spread[0] * spread[1], _FLOOR**2 / 4)
    ordered = np.sort(np.where(shown, correlation, np.inf), axis=1)
    many = shown.sum(1)
    quartile = ordered[np.arange(len(many)), np.maximum(many - 1, 0) // 4]
    return np.where(many >= _FEWEST, quartile, 0.0).astype(float)


def _cells(pixels: NDArray[np.float32] | NDArray[np.bool_]) -> NDArray[np.float32] | NDArray[np.bool_]:
    """Cuts pictures into cells, ``(n, cells, 8, 8)``."""
    n, side, _ = pixels.shape
    count = side // _CELL
    return pixels.reshape(n, count, _CELL, count, _CELL).swapaxes(2, 3).reshape(n, count**2, _CELL, _CELL)


def _details(pixels: Pixels) -> Pixels:
    """Returns cells without the means of their rows and columns."""
    cells = _cells(pixels)
    rows, columns = cells.mean(-1, keepdims=True), cells.mean(-2, keepdims=True)
    found: Pixels = cells - rows - columns + cells.mean((-1, -2), keepdims=True)
    return found
