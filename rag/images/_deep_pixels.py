"""Pixels with more than 8 bits a channel: reading their values, and mapping them to 8 bits by two limits."""

import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin
from PIL.ImageFile import ImageFile

from doubleread.core.types import Vector

Values = NDArray[Any]
"""Shape ``(height, width)``, or ``(height, width, channels)`` with 3 or 4 channels; the fourth is opacity."""
SAMPLE = 10_000
"""Values of each picture that percentiles are learned from."""
_BAND = 1 << 22
"""Values that are mapped at a time."""
_OTHER = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
_HEAD = 1 << 16


def bits_of(image: ImageFile, raw: bytes) -> int:
    """Returns bits per channel in the file; Pillow silently drops the lower half of 16-bit colour."""
    if image.mode.startswith("I;16"):
        return 16
    stated = _BITS.get(image.format or "")
    if stated is not None:
        return stated(image, raw)
    return 32 if image.mode in {"I", "F"} else 8


def _bits_of_pnm(image: ImageFile, raw: bytes) -> int:  # noqa: ARG001
    args = image.tile[0].args
    most = args[1] if isinstance(args, tuple) and len(args) == 2 else 65535 if "16" in str(args) else 255
    return 32 if image.mode == "F" else max(8, int(most).bit_length())


def _bits_of_tiff(image: ImageFile, raw: bytes) -> int:  # noqa: ARG001
    stated = int(max(getattr(image, "tag_v2", {}).get(TiffImagePlugin.BITSPERSAMPLE, (8,))))
    return max(stated, 32) if image.mode in {"I", "F"} and stated > 16 else stated


def _bits_of_jpeg_2000(image: ImageFile, raw: bytes) -> int:  # noqa: ARG001
    start = raw.find(b"\xff\x4f\xff\x51", 0, _HEAD)
    return (raw[start + 42] & 0x7F) + 1 if 0 <= start < len(raw) - 42 else 8


def _bits_of_avif(image: ImageFile, raw: bytes) -> int:  # noqa: ARG001
    place = raw.find(b"pixi", 0, _HEAD)
    return max(raw[place + 9 : place + 9 + raw[place + 8]], default=8) if place >= 0 else 8


_BITS: dict[str, Callable[[ImageFile, bytes], int]] = {
    "PNG": lambda _, raw: raw[24],
    "TIFF": _bits_of_tiff,
    "PPM": _bits_of_pnm,
    "JPEG2000": _bits_of_jpeg_2000,
    "AVIF": _bits_of_avif,
    "HEIF": lambda image, _: int(image.info.get("bit_depth", 8)),
}


def deep_values(image: ImageFile, raw: bytes, bits: int) -> Values | None:
    """Returns the values of a picture with more than 8 bits; None if they cannot be read without loss."""
    if image.mode in {"I", "F"} or image.mode.startswith("I;16"):
        return np.asarray(image)
    if image.format == "PPM":
        return _values_of_ppm(image, raw)
    if bits != 16 or image.mode not in {"RGB", "RGBA"}:
        return None
    return _both_halves(image, raw)


def _values_of_ppm(image: ImageFile, raw: bytes) -> Values | None:
    width, height = image.size
    need = width * height * 3 * 2
    if raw[:2] != b"P6":
        return None
    values = np.frombuffer(raw, ">u2", width * height * 3, image.tile[0].offset) if len(raw) >= need else None
    return None if values is None else values.reshape(height, width, 3)


def _both_halves(image: ImageFile, raw: bytes) -> Values | None:
    """Decodes 16-bit colour twice, for Pillow gives 8 bits of each value: those of the byte order that it is told."""
    form = _raw_mode(image.tile)
    if form is None or not form[:-1].endswith(";16") or form.startswith("LA"):
        return None
    again = type(image)(io.BytesIO(raw))
    if image.tell():
        again.seek(image.tell())
    again.tile = [_told(tile, f"{form[:-1]}{_OTHER[form[-1]]}") for tile in again.tile]
    high, low = np.asarray(image), np.asarray(again)
    return np.asarray(high.astype(np.uint16) << 8 | low)


def _raw_mode(tiles: Sequence[Any]) -> str | None:
    found = {tile.args if isinstance(tile.args, str) else tile.args[0] for tile in tiles}
    return str(found.pop()) if len(found) == 1 else None


def _told(tile: Any, form: str) -> Any:
    return tile._replace(args=form if isinstance(tile.args, str) else (form, *tile.args[1:]))


def mapped(values: Values, limits: tuple[float, float]) -> Image.Image:
    """Returns 8-bit pixels: the first limit and below is black, the second and above is white."""
    low, high = limits
    scale, out = 255 / (high - low if high > low else 1.0), np.empty(values.shape, np.uint8)
    rows = max(1, _BAND // max(1, values[0].size))
    for start in range(0, len(values), rows):
        band = (values[start : start + rows].astype(np.float32) - low) * scale
        out[start : start + rows] = np.rint(band.clip(0, 255))
    if out.ndim == 3 and values.shape[-1] == 4:
        out[..., 3] = values[..., 3] >> 8
    return Image.fromarray(out)


def extent(values: Values) -> tuple[float, float]:
    """Returns the smallest and the largest value."""
    colours = _colours(values)
    return float(colours.min()), float(colours.max())


def sampled(values: Values) -> Vector:
    """Returns at most ``SAMPLE`` values, evenly spread over the picture."""
    flat = _colours(values).reshape(-1)
    return np.asarray(flat[:: max(1, len(flat) // SAMPLE)][:SAMPLE], float)


def _colours(values: Values) -> Values:
    return values[..., :3] if values.ndim == 3 else values
