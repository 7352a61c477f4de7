"""Pictures in the inks of a press that does not exist, and its ICC profile, since those of real ones are not free."""

import struct

import numpy as np
from PIL import Image

from doubleread.core.types import Matrix

DOT_GAIN = 1.6
"""Inks spread: red is what cyan and black leave, to this power."""
_GRID = 17
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TO_D50 = np.array(
    [[1.0478112, 0.0228866, -0.0501270], [0.0295424, 0.9904844, -0.0170491], [-0.0092345, 0.0150436, 0.7521316]]
)
_D50, _WHITE = np.array([0.9642, 1.0, 0.8249]), struct.pack(">3i", 63190, 65536, 54061)


def linear(image: Image.Image | Matrix) -> Matrix:
    """Returns the light of sRGB pixels, 0 to 1; takes a picture, or values from 0 to 255."""
    x = np.asarray(image, float) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def in_cmyk(image: Image.Image) -> Image.Image:
    """Returns an RGB picture in the inks of ``cmyk_profile``."""
    left = np.asarray(image, float) / 255
    black = left.max(-1, keepdims=True).clip(1 / 255)
    inks = 1 - np.concatenate([left / black, black], -1) ** (1 / DOT_GAIN)
    return Image.frombytes("CMYK", image.size, np.rint(inks * 255).astype(np.uint8).tobytes())


def cmyk_profile() -> bytes:
    """Returns an ICC profile (version 2) that maps inks to Lab by a table."""
    text = b"Some press\0"
    tags = [
        (b"desc", b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)),
        (b"cprt", b"text\0\0\0\0CC0\0"),
        (b"wtpt", b"XYZ \0\0\0\0" + _WHITE),
        (b"A2B0", _table()),
    ]
    place, told, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for sign, data in tags:
        told += struct.pack(">4sII", sign, place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", place + len(body), b"\0\0\0\0", 0x02100000, b"prtr", b"CMYK", b"Lab ")
    head += bytes(12) + b"acsp" + bytes(28) + _WHITE
    return head + bytes(128 - len(head)) + told + body


def _table() -> bytes:
    left = (1 - np.linspace(0, 1, _GRID)) ** DOT_GAIN
    c, m, y, k = np.meshgrid(left, left, left, left, indexing="ij")
    lab = _lab(np.stack([c * k, m * k, y * k], -1)).reshape(-1, 3)
    values = np.stack([lab[:, 0] * 652.8, (lab[:, 1] + 128) * 256, (lab[:, 2] + 128) * 256], -1)
    clut = np.rint(values).clip(0, 65535).astype(">u2").tobytes()
    ends = struct.pack(">HH", 0, 65535)
    head = b"mft2\0\0\0\0" + bytes([4, 3, _GRID, 0]) + struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    return head + struct.pack(">HH", 2, 2) + ends * 4 + clut + ends * 3


def _lab(rgb: Matrix) -> Matrix:
    """Returns CIE Lab relative to D50 of sRGB values, 0 to 1."""
    xyz = linear(rgb * 255) @ (_TO_D50 @ _TO_XYZ).T / _D50
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)
