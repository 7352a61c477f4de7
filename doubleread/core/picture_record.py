"""What an image file held before it became 8-bit RGB."""

from collections import Counter
from collections.abc import Iterable

from doubleread.core.base import Record


class PictureRecord(Record):
    """What an image file held before it became 8-bit RGB in sRGB. Agents see only the converted pixels.

    Examples:
        >>> verdict.picture.format, verdict.picture.mode, verdict.picture.bits
        ('JPEG', 'RGB', 8)
    """

    format: str
    """Kind of file, by its content."""
    mode: str
    """``RGB``, ``greyscale``, ``CMYK``, ``Lab`` or ``black and white``."""
    bits: int
    """Bits of each channel in the file."""
    width: int
    """Pixels, of the upright image."""
    height: int
    profile: str = ""
    """Colour profile that was converted to sRGB, or why one could not be; empty for sRGB and for files without one."""
    frames: int = 1
    window: str = ""
    """What became black and white: the window of a DICOM file, or the range that the panel learned."""

    @property
    def kind(self) -> str:
        """Mode and bits in words: pictures of another kind than the fitted ones are warned of."""
        return self.mode if self.bits <= 8 else f"{self.bits}-bit {self.mode}"


def kinds_of(pictures: Iterable[PictureRecord | None]) -> dict[str, int]:
    """Returns how many pictures there are of each kind, the most frequent first."""
    return dict(Counter(one.kind for one in pictures if one is not None).most_common())


__all__ = ["PictureRecord"]
