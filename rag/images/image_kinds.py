"""Tells what kind of image a file is from its first bytes. File names do not matter."""

import re
from importlib.util import find_spec

HEAD = 512
"""Bytes that ``kind_of`` needs."""

READ = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "BigTIFF", "GIF", "PNM", "AVIF", "JPEG 2000")
"""Kinds that are always read."""
EXTRAS = {"HEIC": "heif", "DICOM": "dicom"}
"""Kinds that are read if an extra of doubleread is installed, and its name."""
_PACKAGES = {"HEIC": "pi-heif", "DICOM": "pydicom python-gdcm"}
"""The packages of these extras."""
_MODULES = {"HEIC": "pi_heif", "DICOM": "pydicom"}

_RAW = frozenset({".dng", ".nef", ".nrw", ".cr2", ".arw", ".srf", ".sr2", ".pef", ".orf", ".rw2", ".3fr", ".iiq"})
_MAGIC = (
    ("JPEG", b"\xff\xd8\xff"),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("WEBP", b"RIFF....WEBP"),
    ("BMP", rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    ("TIFF", rb"II\*\0|MM\0\*|II\0\*|MM\*\0"),
    ("BigTIFF", rb"II\+\0|MM\0\+"),
    ("GIF", b"GIF8"),
    ("PNM", rb"P[1-6]\s+(?:#[^\n]*\n\s*)*\d+\s|Pf\s+\d"),
    ("AVIF", b"....ftyp(?:avif|avis|(?:mif1|msf1|miaf)(?:....){1,8}?avi[fs])"),
    ("HEIC", b"....ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)"),
    ("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL "),
    ("JPEG 2000", rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    ("DICOM", rb".{128}DICM"),
    ("PAM", rb"P7\s|PF\s"),
    ("PSD", b"8BPS"),
    ("camera raw", rb"FUJIFILMCCD|IIU\0|IIRO|....ftypcrx"),
    ("FITS", b"SIMPLE  ="),
    ("HDF5", rb"\x89HDF\r\n"),
    ("OpenEXR", rb"v/1\x01"),
    ("Radiance HDR", rb"#\?RADIANCE|#\?RGBE"),
    ("DDS", b"DDS "),
    ("icon", rb"\0\0[\x01\x02]\0"),
    ("SVG", rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?(?:<!DOCTYPE svg[^>]*>\s*)?<svg\b"),
)
_SUFFIX_OF = {
    "JPEG": ".jpg",
    "PNG": ".png",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "TIFF": ".tiff",
    "BigTIFF": ".tiff",
    "GIF": ".gif",
    "PNM": ".pnm",
    "AVIF": ".avif",
    "JPEG 2000": ".jp2",
    "HEIC": ".heic",
    "DICOM": ".dcm",
}
_OTHER = ".image"
SUFFIXES = (*dict.fromkeys(_SUFFIX_OF.values()), _OTHER)
"""Every suffix that ``suffix_of`` gives."""
_KINDS = tuple((kind, re.compile(magic, re.DOTALL)) for kind, magic in _MAGIC)


def kind_of(head: bytes, suffix: str = "") -> str | None:
    """Returns the kind of image that begins with these bytes, such as ``"JPEG"``; None if it is not an image.

    The ending of the name only tells camera raw files, which begin like TIFF.
    """
    found = next((kind for kind, magic in _KINDS if magic.match(head)), None)
    return "camera raw" if found == "TIFF" and suffix.lower() in _RAW else found


def refusal(kind: str) -> str | None:
    """Returns why images of a kind are not read here; None if they are."""
    if kind in READ or (kind in EXTRAS and find_spec(_MODULES[kind])):
        return None
    return needs_extra(kind) if kind in EXTRAS else f"{kind} images are not read; save it as PNG or JPEG"


def needs_extra(kind: str) -> str:
    """Returns what to do about a kind of image whose extra is not installed."""
    install = f"run pip install 'doubleread[{EXTRAS[kind]}]', which is pip install {_PACKAGES[kind]}"
    return f"the file is {kind}, which needs an extra: {install}; or save it as JPEG or PNG"


def suffix_of(head: bytes) -> str:
    """Returns the usual file suffix of a kind that is read, and ``.image`` for others."""
    return _SUFFIX_OF.get(kind_of(head) or "", _OTHER)
