"""Writes ICC profiles for colour spaces that a file only names or describes, such as Adobe RGB in EXIF.

ICC.1:2001-04 (version 2): matrix and tone curve for colour, relative to D50 (Bradford).
"""

import struct
from functools import lru_cache

import numpy as np

from doubleread.core.types import Matrix

Chromaticity = tuple[float, float]
D65 = (0.3127, 0.3290)
PRIMARIES: dict[str, tuple[Chromaticity, Chromaticity, Chromaticity]] = {
    "sRGB": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)),
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06)),
    "Display P3": ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    "BT.2020": ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
}
ADOBE_GAMMA = 563 / 256
"""Exponent of Adobe RGB (1998), 2.2 as ICC writes it."""
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_CURVE = 1024


@lru_cache(32)
def rgb_profile(
    name: str,
    primaries: tuple[Chromaticity, Chromaticity, Chromaticity],
    white: Chromaticity = D65,
    gamma: float | None = None,
) -> bytes:
    """Returns a profile of RGB with these chromaticities; its curve is a power, or that of sRGB without ``gamma``."""
    columns = _to_d50(white) @ _matrix(primaries, white)
    tags = [(sign, _xyz(column)) for sign, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True)]
    tags += [(sign, _curve(gamma)) for sign in (b"rTRC", b"gTRC", b"bTRC")]
    return _profile(name, b"RGB ", tags)


def grey_profile(name: str, gamma: float) -> bytes:
    """Returns a profile of greyscale with a power as its curve."""
    return _profile(name, b"GRAY", [(b"kTRC", _curve(gamma))])


def _matrix(primaries: tuple[Chromaticity, Chromaticity, Chromaticity], white: Chromaticity) -> Matrix:
    columns = np.array([_of_xy(one) for one in primaries]).T
    return np.asarray(columns * np.linalg.solve(columns, _of_xy(white)))


def _of_xy(xy: Chromaticity) -> Matrix:
    x, y = xy
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _to_d50(white: Chromaticity) -> Matrix:
    ratio = (_BRADFORD @ _D50) / (_BRADFORD @ _of_xy(white))
    return np.asarray(np.linalg.inv(_BRADFORD) @ (ratio[:, None] * _BRADFORD))


def _fixed(values: Matrix) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(float(one) * 65536) for one in values))


def _xyz(values: Matrix) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(values)


def _curve(gamma: float | None) -> bytes:
    if gamma is not None:
        return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    x = np.linspace(0, 1, _CURVE)
    y = np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
    return b"curv\0\0\0\0" + struct.pack(f">I{_CURVE}H", _CURVE, *np.round(y * 65535).astype(int).tolist())


def _profile(name: str, space: bytes, own: list[tuple[bytes, bytes]]) -> bytes:
    text = name.encode("ascii") + b"\0"
    told = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    tags = [(b"desc", told), (b"cprt", b"text\0\0\0\0CC0\0"), (b"wtpt", _xyz(_D50)), *own]
    place, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for sign, data in tags:
        table += struct.pack(">4sII", sign, place + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", place + len(body), b"\0\0\0\0", 0x02100000, b"mntr", space, b"XYZ ")
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(_D50)
    return head + bytes(128 - len(head)) + table + body
