"""Pictures in other colour spaces than sRGB, encoded by the published formulas without any profile library."""

import numpy as np
from PIL import Image

from benchmarks.press import cmyk_profile, in_cmyk, linear
from doubleread.rag.images.icc_profiles import ADOBE_GAMMA, D65, PRIMARIES, grey_profile, rgb_profile

PROPHOTO = ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001))
D50 = (0.3457, 0.3585)
_SRGB_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_ADOBE_XYZ = np.array(
    [[0.5767309, 0.1855540, 0.1881852], [0.2973769, 0.6273491, 0.0752741], [0.0270343, 0.0706872, 0.9911085]]
)
_P3_XYZ = np.array(
    [[0.4865709, 0.2656677, 0.1982173], [0.2289746, 0.6917385, 0.0792869],
     [0.0, 0.0451134, 1.0439444]]
)  # fmt: skip
_PROPHOTO_XYZ = np.array(
    [[0.7976749, 0.1351917, 0.0313534], [0.2880402, 0.7118741, 0.0000857],
     [0.0, 0.0, 0.8252100]]
)  # fmt: skip
_TO_D50 = np.array(
    [[1.0478112, 0.0228866, -0.0501270], [0.0295424, 0.9904844, -0.0170491], [-0.0092345, 0.0150436, 0.7521316]]
)

ADOBE = rgb_profile("Adobe RGB (1998)", PRIMARIES["Adobe RGB"], D65, ADOBE_GAMMA)
P3 = rgb_profile("Display P3", PRIMARIES["Display P3"])
PRO = rgb_profile("ProPhoto RGB", PROPHOTO, D50, 1.8)
GREY = grey_profile("Gray Gamma 2.2", 2.2)


def _eight(values):
    return Image.fromarray(np.rint(values.clip(0, 1) * 255).astype(np.uint8))


def in_adobe(image):
    return _eight((linear(image) @ (np.linalg.inv(_ADOBE_XYZ) @ _SRGB_XYZ).T).clip(0, 1) ** (256 / 563))


def in_p3(image):
    x = (linear(image) @ (np.linalg.inv(_P3_XYZ) @ _SRGB_XYZ).T).clip(0, 1)
    return _eight(np.where(x <= 0.0031308, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055))


def in_prophoto(image):
    return _eight((linear(image) @ (np.linalg.inv(_PROPHOTO_XYZ) @ _TO_D50 @ _SRGB_XYZ).T).clip(0, 1) ** (1 / 1.8))


def in_grey(image):
    return _eight(linear(image.convert("L")) ** (1 / 2.2))


WIDE = {
    "Adobe RGB": (in_adobe, ADOBE),
    "Display P3": (in_p3, P3),
    "ProPhoto": (in_prophoto, PRO),
    "grey": (in_grey, GREY),
}

__all__ = ["ADOBE", "GREY", "P3", "PRO", "WIDE", "cmyk_profile", "in_adobe", "in_cmyk", "in_grey", "in_p3", "linear"]
