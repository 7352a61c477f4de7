"""The poses in which a copy may show a picture: flipped, turned by quarters, and cropped by a few per cent.

A pose is one of the eight flips and quarter turns, and one of 25 crops. Pictures are compared in all poses at once, on
their ``LOW`` × ``LOW`` lowest detail.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]

TURNS = 8
LOW = 16
"""Side of a picture reduced to find its pose."""
_CUTS = ((0.0, 1.0), (0.08, 1.0), (0.0, 0.92), (0.04, 0.96), (0.08, 0.92))
"""What a crop keeps of each axis."""
CROPS = len(_CUTS) ** 2
_FLAT = 0.2
"""Standard deviation of brightness, of 255, below which a reduced picture shows nothing."""
_ROWS = 256
"""Pictures that are put into all poses at a time."""


class Poses(NamedTuple):
    """How the second picture of each pair lies in the first, or the first in the second."""

    swapped: NDArray[np.bool_]
    """Whether the second picture is the larger one, that is, the first is a crop of it."""
    turn: NDArray[np.int64]
    """Flip or quarter turn of the smaller picture, as ``turned`` numbers them."""
    scale: NDArray[np.float32]
    """Side of the smaller picture as a share of the larger one's, ``(n, 2)``: along rows, down columns."""
    shift: NDArray[np.float32]
    """Centre of the crop less the centre of the picture, as shares of its side, ``(n, 2)``."""


def turned(pixels: Pixels) -> Pixels:
    """Returns the eight flips and quarter turns of pictures ``(…, side, side)``, on a new first axis."""
    both = (pixels, np.swapaxes(pixels, -1, -2))
    return np.stack([one[..., ::down, ::along] for one in both for down in (1, -1) for along in (1, -1)])


def lowered(pixels: Pixels, side: int) -> Pixels:
    """Returns pictures averaged to ``side`` pixels a side, which must divide theirs."""
    step = pixels.shape[-1] // side
    smaller: Pixels = pixels.reshape(*pixels.shape[:-2], side, step, side, step).mean((-3, -1))
    return smaller


def find_poses(first: Pixels, second: Pixels) -> Poses:
    """Returns the pose in which each pair, ``(n, side, side)`` each, agrees best."""
    forth, back = _agreement(first, second), _agreement(second, first)
    swapped = back.max(1) > forth.max(1)
    best = np.where(swapped, back.argmax(1), forth.argmax(1))
    cuts = np.array(_CUTS, np.float32)
    down, along = cuts[best % CROPS // len(_CUTS)], cuts[best % len(_CUTS)]
    kept = np.stack([along, down], axis=1)
    return Poses(swapped, best // CROPS, kept[..., 1] - kept[..., 0], kept.mean(-1) - 0.5)


def nearest_in_any_pose(low: Pixels, k: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yields, in blocks, pairs of row numbers: every picture with the ``k`` that any of its poses resembles most.

    ``low``: pictures ``(n, side, side)``. Pictures without contrast resemble none. Time grows with n².
    """
    side = 8
    whole = _unit(lowered(low, side).reshape(len(low), -1))
    lit = np.flatnonzero(np.abs(whole).sum(1) > 0)
    for start in range(0, len(lit), _ROWS):
        rows = lit[start : start + _ROWS]
        poses = np.moveaxis(turned(_cropped(low[rows], side)), 0, 1)
        near = np.full((len(rows), len(low)), -np.inf, np.float32)
        for pose in np.moveaxis(_unit(poses.reshape(len(rows), TURNS * CROPS, -1)), 1, 0):
            np.maximum(near, pose @ whole.T, out=near)
        near[np.arange(len(rows)), rows] = -np.inf
        most = min(k, len(low) - 1)
        best = np.argpartition(-near, most - 1, axis=1)[:, :most] if most else np.zeros((len(rows), 0), np.int64)
        yield np.repeat(rows, best.shape[1]), best.ravel()


def _agreement(larger: Pixels, smaller: Pixels) -> Pixels:
    """Correlation of every crop of the one picture with every turn of the other, ``(n, TURNS × CROPS)``."""
    n = len(larger)
    crops = _unit(_cropped(larger, LOW).reshape(n, CROPS, -1))
    whole = _unit(lowered(smaller, LOW).reshape(n, -1)).reshape(n, LOW, LOW)
    turns = np.moveaxis(turned(whole), 0, 1).reshape(n, TURNS, -1)
    found: Pixels = np.matmul(turns, np.swapaxes(crops, 1, 2)).reshape(n, -1)
    return found


def _cropped(pixels: Pixels, side: int) -> Pixels:
    """Returns all crops of pictures, ``(n, CROPS, side, side)``."""
    weights = np.stack([_areas(cut, side, pixels.shape[-1]) for cut in _CUTS])
    rows = np.einsum("iuh,nhw->niuw", weights, pixels, optimize=True)
    crops: Pixels = np.einsum("jvw,niuw->nijuv", weights, rows, optimize=True)
    return crops.reshape(len(pixels), CROPS, side, side)


def _areas(cut: tuple[float, float], cells: int, side: int) -> Pixels:
    """Share of each pixel in each cell of a part of an axis, ``(cells, side)``; rows sum to 1."""
    edges = np.linspace(cut[0] * side, cut[1] * side, cells + 1)
    start, end = edges[:-1, None], edges[1:, None]
    pixel = np.arange(side)
    inside = np.clip(np.minimum(end, pixel + 1) - np.maximum(start, pixel), 0, None)
    shares: Pixels = (inside / inside.sum(1, keepdims=True)).astype(np.float32)
    return shares


def _unit(rows: Pixels) -> Pixels:
    """Returns rows without their mean and of unit length; zero where there is no contrast."""
    centred = rows - rows.mean(-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    lit = length > _FLAT * np.sqrt(rows.shape[-1])
    found: Pixels = np.where(lit, centred / np.maximum(length, 1e-9), 0).astype(np.float32)
    return found
