"""Maps of where an image is unlike known images, and the areas in them that stand out.

The map of label ``k`` is the evidence for ``k`` against the others: how far each patch is from the nearest patch of all
other labels, ``min_{j ≠ k} d_j``. With the labels *good* and *defective*, that of *defective* is the distance to good
images; it also shows defects that no known image has.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from doubleread.core.attribution import Region
from doubleread.core.types import Labels, Matrix, Vector

FALSE_AREAS = 0.05
"""Share of the images of other labels in whose map some patch reaches the limit."""


@dataclass(frozen=True)
class AnomalyArea:
    """Neighbouring patches that reach the limit."""

    region: Region
    share: float
    """Of the image's area."""
    peak: float
    """The largest value in it."""


@dataclass(frozen=True)
class AnomalyMap:
    """One label's map of an image; ``values`` are distances in standard deviations, shape ``(rows, columns)``."""

    label: str
    values: NDArray[np.float32]
    limit: float
    """Learned at fitting: at most about ``FALSE_AREAS`` of the images of other labels reach it anywhere."""

    def upsampled(self, width: int, height: int) -> NDArray[np.float32]:
        """Returns the values for each pixel of an image, ``(height, width)``, interpolated linearly."""
        return np.asarray(Image.fromarray(self.values).resize((width, height), Image.Resampling.BILINEAR))

    @property
    def areas(self) -> tuple[AnomalyArea, ...]:
        """The areas at or above the limit, the highest peak first; patches that touch at a corner belong together."""
        from scipy.ndimage import find_objects, label  # noqa: PLC0415 - slow to import

        marks, _ = label(self.values >= self.limit, structure=np.ones((3, 3)))
        found = [self._area(marks == i + 1, *place) for i, place in enumerate(find_objects(marks))]
        return tuple(sorted(found, key=lambda area: -area.peak))

    def _area(self, inside: NDArray[np.bool_], down: slice, across: slice) -> AnomalyArea:
        rows, columns = self.values.shape
        region = Region(
            left=across.start / columns, top=down.start / rows, right=across.stop / columns, bottom=down.stop / rows
        )
        return AnomalyArea(region, float(inside.mean()), float(self.values[inside].max()))


def evidence(distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps of all labels ``(n_labels, rows, columns)`` from the distances to all labels, of the same shape."""
    if len(distances) == 1:
        return distances
    return np.stack([np.delete(distances, k, axis=0).min(axis=0) for k in range(len(distances))])


def limits_of(peaks: Matrix, labels: Labels) -> Vector:
    """Limits ``(n_labels,)`` from the largest values ``(n, n_labels)`` of the maps of held-out cases.

    The rank is that of conformal prediction: a new image of another label reaches it at most ``FALSE_AREAS`` of the
    time, if it resembles these. With too few cases for that rank the limit is infinite, and no area is reported.
    """
    return np.array([_limit(peaks[labels != k, k]) for k in range(peaks.shape[1])])


def _limit(peaks: Vector) -> float:
    rank = int(np.ceil((1 - FALSE_AREAS) * (len(peaks) + 1)))
    return float(np.sort(peaks)[rank - 1]) if rank <= len(peaks) else np.inf
