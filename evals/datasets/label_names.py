"""Names that files, labels and splits go by."""

import re
from pathlib import PurePath

from doubleread.core.errors import DataError

SUPPORT, CALIBRATION, TEST = SPLITS = ("support", "calibration", "test")
"""For fitting, for calibration, for testing."""

TEST_SHARE = 0.2
"""Share of the cases that is held out for a test unless another one is asked for."""

SPLIT_NAMES = {
    "support": SUPPORT,
    "train": SUPPORT,
    "calibration": CALIBRATION,
    "cal": CALIBRATION,
    "val": CALIBRATION,
    "valid": CALIBRATION,
    "validation": CALIBRATION,
    "test": TEST,
}
"""The names a split may have in other people's data."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
"""Files that are read; their contents are checked when they are decoded."""

FOREIGN_SUFFIXES = frozenset(
    {
        ".heic", ".heif", ".avif", ".jxl", ".jp2", ".dcm", ".dicom", ".svg", ".psd", ".raw", ".dng", ".nef", ".cr2",
        ".cr3", ".arw",
    }
)  # fmt: skip
"""Images of kinds that doubleread does not read: reported, never passed over."""


def split_name(text: str, where: str) -> str:
    """The split that a name means; raises ``DataError`` for a name it does not know."""
    try:
        return SPLIT_NAMES[text.strip().lower()]
    except KeyError:
        known = ", ".join(SPLIT_NAMES)
        raise DataError(
            f"unknown split {text!r} ({where}); known splits: {known}. Rename it, or remove the column"
        ) from None


def slug(text: str) -> str:
    """A short id of letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "data"


def suffix(path: PurePath) -> str:
    """The lower-case ending of a file's name, with its dot."""
    return path.suffix.lower()
