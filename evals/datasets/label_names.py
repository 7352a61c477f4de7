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
    "training": SUPPORT,
    "trn": SUPPORT,
    "calibration": CALIBRATION,
    "cal": CALIBRATION,
    "val": CALIBRATION,
    "valid": CALIBRATION,
    "validation": CALIBRATION,
    "dev": CALIBRATION,
    "test": TEST,
    "testing": TEST,
    "tst": TEST,
    "eval": TEST,
    "evaluation": TEST,
    "holdout": TEST,
    "hold-out": TEST,
}
"""The names a split may have in other people's data."""
_SPLIT_FOLDER = re.compile(
    rf"(?:\w+[ _.-]+)?({'|'.join(sorted(SPLIT_NAMES, key=len, reverse=True))})"
    r"(?:[ _.-]?(?:set|data|dataset|images?|imgs?|split|folder|part))*[ _.-]?(?:\d{1,4}|\(\d+\))?"
)

IMAGE_SUFFIXES = frozenset(
    {
        ".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".mpo", ".png", ".apng", ".webp", ".bmp", ".dib", ".tif", ".tiff",
        ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".j2k", ".dcm",
        ".dicom", ".svg", ".psd", ".raw", ".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf",
    }
)  # fmt: skip
"""Endings of image files. A file of such a name that is not an image is a problem; others are passed over."""


def split_name(text: str, where: str) -> str:
    """The split that a name means; raises ``DataError`` for a name it does not know."""
    try:
        return SPLIT_NAMES[text.strip().lower()]
    except KeyError:
        known = ", ".join(SPLIT_NAMES)
        raise DataError(
            f"unknown split {text!r} ({where}); known splits: {known}. Rename it, or remove the column"
        ) from None


def split_of_folder(name: str) -> str | None:
    """The split that a folder's name may mean, as ``train2017``, ``Test Set`` and ``seg_train`` do; None for others."""
    found = _SPLIT_FOLDER.fullmatch(name.strip().lower())
    return SPLIT_NAMES[found[1]] if found else None


def slug(text: str) -> str:
    """A short id of letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "data"


def suffix(path: PurePath) -> str:
    """The lower-case ending of a file's name, with its dot."""
    return path.suffix.lower()
