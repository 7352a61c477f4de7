"""What the images that a panel was fitted on were before they became 8-bit RGB, and what is warned of later.

With ``depth`` of ``[images]``, the values that become black and white are learned from these images: one range for the
whole panel, since a range for each image would make a dark finding look like a bright one.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from doubleread.core.base import Record
from doubleread.core.case import Case
from doubleread.core.errors import ImageError
from doubleread.core.notices import Caution
from doubleread.core.picture_record import PictureRecord
from doubleread.rag.images.image_policy import ImagePolicy
from doubleread.rag.images.safe_images import DeepValues, deep_values
from doubleread.settings import Settings

PERCENTILES = (1.0, 99.0)
_WORKERS = 4
_UNUSABLE = "cannot be used"


class FittedPictures(Record):
    """The kinds of images that a panel was fitted on; part of ``panel.json``."""

    kinds: dict[str, int] | None = None
    """How many images there were of each kind; None for a panel fitted before colour profiles were converted."""
    limits: tuple[float, float] | None = None
    """Values that become black and white, of images with more than 8 bits; None if none were fitted on."""

    def warnings(self, picture: PictureRecord | None) -> tuple[str, ...]:
        """Returns what is unlike the fitted images about one image, as sentences."""
        if picture is None:
            return ()
        found = []
        if _UNUSABLE in picture.profile:
            found.append(f"the image has {picture.profile}; its colours were taken for sRGB")
        elif self.kinds is None and picture.profile:
            found.append(
                f"the image has the colour profile {picture.profile}, and this panel was fitted by a doubleread that "
                "did not convert profiles: fit the panel again"
            )
        if self.kinds and picture.kind not in self.kinds:
            found.append(f"the image is {picture.kind}, and the panel was fitted on {self.told} images only")
        return tuple(found)

    @property
    def told(self) -> str:
        """The fitted kinds in words."""
        return " and ".join(self.kinds or ())


def batch_warning(fitted: FittedPictures, pictures: Iterable[PictureRecord | None], known: set[str]) -> tuple[str, ...]:
    """Returns a warning for each kind among these images that was not fitted on and is not ``known``; adds it there."""
    new = {one.kind for one in pictures if one is not None and fitted.kinds and one.kind not in fitted.kinds} - known
    known |= new
    return tuple(
        Caution(
            f"some images are {kind}, and the panel was fitted on {fitted.told} images only: check that they come from "
            "the same kind of camera and export"
        )
        for kind in sorted(new)
    )


def image_policy(settings: Settings, limits: tuple[float, float] | None = None) -> ImagePolicy:
    """Returns how images are read; ``limits`` are those that a panel learned."""
    chosen = settings.images
    return ImagePolicy(int(chosen.max_megapixels * 1_000_000), chosen.depth, limits, chosen.frame)


def learned_limits(cases: Sequence[Case], settings: Settings) -> tuple[float, float] | None:
    """Returns the values that become black and white, learned from the images that a panel will be fitted on.

    None where ``depth`` is ``refuse``, or no image has more than 8 bits. Images that cannot be read are left out.
    """
    policy = image_policy(settings)
    if policy.depth == "refuse":
        return None
    paths = [case.path for case in cases if case.label is not None and case.split != "test" and case.path is not None]
    with ThreadPoolExecutor(_WORKERS) as pool:
        found = [one for one in pool.map(lambda path: _values(path, policy), paths) if one is not None]
    if not found:
        return None
    if policy.depth == "range":
        return min(one.extent[0] for one in found), max(one.extent[1] for one in found)
    low, high = np.percentile(np.concatenate([one.sample for one in found]), PERCENTILES)
    return float(low), float(high)


def _values(path: Path, policy: ImagePolicy) -> DeepValues | None:
    try:
        return deep_values(path, policy)
    except ImageError:
        return None
