"""Tells what kind of image a file is from its first bytes. File names do not matter."""

import re

HEAD = 512
"""Bytes that ``kind_of`` needs."""

READ = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
"""Kinds that are always read."""

_RAW = frozenset({".dng", ".nef", ".nrw", ".cr2", ".arw", ".srf", ".sr2", ".pef", ".orf", ".rw2", ".3fr", ".iiq"})
_MAGIC = (
    ("JPEG", b"\xff\xd8\xff"),
    ("PNG", b"\x89PNG\r\n\x1a\n"),
    ("WEBP", b"RIFF....WEBP"),
    ("BMP", rb"BM.{4}\0\0\0\0"),
    ("TIFF", rb"II\*\0|MM\0\*"),
    ("BigTIFF", rb"II\+\0|MM\0\+"),
    ("GIF", b"GIF8"),
    ("PNM", rb"P[1-7]\s|Pf\s|PF\s"),
    ("AVIF", b"....ftyp(?:avif|avis)"),
    ("HEIC", b"....ftyp(?:hei[cmsx]|hev[cmsx]|mif1|msf1)"),
    ("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL "),
    ("JPEG 2000", rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    ("DICOM", rb".{128}DICM"),
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
_KINDS = tuple((kind, re.compile(magic, re.DOTALL)) for kind, magic in _MAGIC)


def kind_of(head: bytes, suffix: str = "") -> str | None:
    """Returns the kind of image that begins with these bytes, such as ``"JPEG"``; None if it is not an image.

    The ending of the name only tells camera raw files, which begin like TIFF.
    """
    found = next((kind for kind, magic in _KINDS if magic.match(head)), None)
    return "camera raw" if found == "TIFF" and suffix.lower() in _RAW else found


def refusal(kind: str) -> str | None:
    """Returns what to tell of a kind of image that is not read; None for the others."""
    return None if kind in READ else f"{kind} images are not read; convert it to PNG or JPEG"
