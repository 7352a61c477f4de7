"""Removes metadata (place, owner, device) from pictures without changing the pixels.

JPEG, PNG and WebP files keep their compressed pixels, colour space and orientation, and lose everything else; other
formats, DICOM too, are converted to 8-bit PNG in sRGB.
"""

import io
import struct
import zlib
from collections.abc import Iterator

from doubleread.rag.images.image_policy import shown_policy
from doubleread.rag.images.safe_images import is_adobe_rgb, open_image, orientation_of

_JPEG_KEPT = frozenset({0xE0, 0xEE})
"""JFIF and Adobe, which define the colour encoding. Of 0xE2 only colour profiles are kept."""
_PNG_KEPT = frozenset({b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"cICP", b"pHYs", b"bKGD"})
_WEBP_KEPT = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ICCP"})
_HAS_EXIF, _HAS_XMP = 0x08, 0x04


class _Odd(Exception):
    """The file's structure is invalid."""


def bare(data: bytes) -> tuple[bytes, str]:
    """Returns the picture without metadata, and its suffix. Raises ``ImageError`` for invalid images."""
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return b"".join(_jpeg(data)), ".jpg"
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return b"".join(_png(data)), ".png"
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _webp(data), ".webp"
    except (_Odd, struct.error, IndexError):
        pass
    out = io.BytesIO()
    open_image(data, policy=shown_policy()).save(out, "PNG")
    return out.getvalue(), ".png"


def _jpeg(data: bytes) -> Iterator[bytes]:
    """Yields the segments to keep, up to the end of the image; phones append films and previews after it."""
    yield b"\xff\xd8"
    turned, adobe, place = orientation_of(data), is_adobe_rgb(data), 2
    if turned != 1 or adobe:
        exif = b"Exif\0\0" + (_orientation_in_adobe_rgb(turned) if adobe else _orientation(turned))
        yield b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    while True:
        if data[place] != 0xFF:
            raise _Odd
        marker = data[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        if marker == 0xD9:
            yield b"\xff\xd9"
            return
        (length,) = struct.unpack_from(">H", data, place + 2)
        end = place + 2 + length
        if length < 2 or end > len(data):
            raise _Odd
        if marker == 0xDA:
            end = _scanned(data, end)
        if _stays(marker, data[place + 4 : place + 16]):
            yield data[place:end]
        place = end


def _stays(marker: int, begins: bytes) -> bool:
    """Whether a segment describes the pixels; comments and application data do not."""
    if marker == 0xE2:
        return begins.startswith(b"ICC_PROFILE\0")
    return marker in _JPEG_KEPT or not (0xE0 <= marker <= 0xEF or marker == 0xFE)


def _scanned(data: bytes, place: int) -> int:
    """Returns the end of the compressed pixels: the next marker that is neither a stuffed byte nor a restart."""
    while True:
        place = data.find(b"\xff", place)
        if place < 0 or place + 1 >= len(data):
            raise _Odd
        if data[place + 1] == 0xFF:
            place += 1
        elif data[place + 1] == 0 or 0xD0 <= data[place + 1] <= 0xD7:
            place += 2
        else:
            return place


def _png(data: bytes) -> Iterator[bytes]:
    """Yields the chunks to keep; data after the end is dropped."""
    yield data[:8]
    turned, place = orientation_of(data), 8
    while True:
        (length,), kind = struct.unpack_from(">I", data, place), data[place + 4 : place + 8]
        end = place + 12 + length
        if end > len(data) or len(kind) < 4:
            raise _Odd
        if kind[:1].isupper() or kind in _PNG_KEPT:
            yield data[place:end]
        if kind == b"IHDR" and turned != 1:
            yield _chunk(b"eXIf", _orientation(turned))
        if kind == b"IEND":
            return
        place = end


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _webp(data: bytes) -> bytes:
    turned, place, kept = orientation_of(data), 12, list[bytes]()
    whole = 8 + struct.unpack_from("<I", data, 4)[0]
    if whole > len(data):
        raise _Odd
    while place + 8 <= whole:
        kind, (length,) = data[place : place + 4], struct.unpack_from("<I", data, place + 4)
        body = data[place + 8 : place + 8 + length]
        if len(body) < length:
            raise _Odd
        if kind == b"VP8X":
            flags = body[0] & ~(_HAS_EXIF | _HAS_XMP) | (_HAS_EXIF if turned != 1 else 0)
            kept.append(_riff(kind, bytes([flags]) + body[1:]))
        elif kind in _WEBP_KEPT:
            kept.append(_riff(kind, body))
        place += 8 + length + length % 2
    if turned != 1:
        kept.append(_riff(b"EXIF", _orientation(turned)))
    body = b"WEBP" + b"".join(kept)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _riff(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _orientation(turned: int) -> bytes:
    """Returns Exif data that holds only the orientation."""
    return b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, turned, 0, 0)


def _orientation_in_adobe_rgb(turned: int) -> bytes:
    """Returns Exif data that holds the orientation, and that the colours are Adobe RGB."""
    first = struct.pack(">IHHHIHHHHIII", 8, 2, 0x0112, 3, 1, turned, 0, 0x8769, 4, 1, 38, 0)
    return b"MM\0*" + first + struct.pack(">HHHIHHI", 1, 0xA001, 3, 1, 2, 0, 0)
