"""Converts pixels from the colour space that a file states to sRGB.

A file states it by an embedded ICC profile, by cICP, gAMA and cHRM of PNG, by nclx of HEIC and AVIF, or by EXIF ("Adobe
RGB"). Colours are converted relative to white with black point compensation: what sRGB can show keeps its measured
colour, and only what lies outside is clipped. A profile that means sRGB, within rounding, changes no pixel.
"""

import io
import struct
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageCms
from PIL.ImageFile import ImageFile

from doubleread.rag.images.icc_profiles import ADOBE_GAMMA, D65, PRIMARIES, rgb_profile

_EXIF, _INTEROP, _SPACE, _INDEX, _ADOBE = 0x8769, 0xA005, 0xA001, 1, 2
_SAME = 4
"""Largest difference, in levels of 255, between sRGB and a profile that only means sRGB."""
_NAME_LENGTH = 60
ADOBE_EXIF = "Adobe RGB (EXIF)"
"""Name of the space of files whose EXIF says so, without a profile."""
_UNUSABLE = "a colour profile that cannot be used"
_HEAD, _CHUNKS = 1 << 16, 1 << 13
_CODED = {9: "BT.2020", 12: "Display P3"}
_GAMMAS = {4: 2.2, 5: 2.8, 8: 1.0}
"""Curves of ITU-T H.273 that are powers; those of BT.709 and sRGB, and unknown ones, are taken for sRGB's."""
_HDR = {16: "PQ", 18: "HLG"}
_USUAL_GAMMA, _GAMMA_RANGE = 0.45455, (0.1, 4.0)
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab ": "LAB"}
"""The pixels that a profile describes."""
_BASE = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK", "LAB": "LAB"}
"""The pixels of an opened image; those of every other mode become RGB."""


class ColourSpace(NamedTuple):
    """The colour space of a picture."""

    name: str = ""
    """For the record; empty for sRGB."""
    profile: bytes = b""
    """ICC profile to convert from; empty if no pixel changes."""


SRGB = ColourSpace()


def colour_space(image: ImageFile, raw: bytes) -> ColourSpace:
    """Returns what a file states about its colours."""
    mode = _BASE.get(image.mode, "RGB")
    if mode == "LAB":
        return ColourSpace("Lab", _lab())
    if image.format == "PNG" and (place := raw.find(b"\0\0\0\4cICP", 0, _CHUNKS)) >= 0:
        return _coded(*raw[place + 8 : place + 10])
    if icc := image.info.get("icc_profile"):
        return judged(bytes(icc), mode)
    if image.format == "PNG":
        return _of_png(image.info)
    if image.format in {"AVIF", "HEIF"} and (place := raw.find(b"colrnclx", 0, _HEAD)) >= 0:
        return _coded(*struct.unpack_from(">HH", raw, place + 8))
    return judged(_adobe(), mode)._replace(name=ADOBE_EXIF) if states_adobe(image) else SRGB


def states_adobe(image: Image.Image) -> bool:
    """Whether EXIF says that the pixels are Adobe RGB, as cameras do that embed no profile."""
    exif = image.getexif() if "exif" in image.info or image.format == "TIFF" else None
    if not exif:
        return False
    own = exif.get_ifd(_EXIF)
    index = exif.get_ifd(_INTEROP).get(_INDEX) if _INTEROP in own else ""
    return bool(own.get(_SPACE) == _ADOBE or str(index).startswith("R03"))


def to_srgb(image: Image.Image, space: ColourSpace) -> Image.Image:
    """Returns an image as RGB in sRGB, or as RGBA if it is transparent."""
    if image.mode in {"P", "PA"}:
        image = image.convert("RGBA" if image.has_transparency_data else "RGB")
    alpha = image.getchannel("A") if image.mode in {"RGBA", "LA"} else None
    takes, transform = _transform(space.profile)
    made = transform.apply(image if image.mode == takes else image.convert(takes))
    if alpha is not None:
        made.putalpha(alpha)
    return made


@lru_cache(16)
def judged(profile: bytes, mode: str) -> ColourSpace:
    """Returns the space of a profile for pixels of a mode; ``SRGB`` if it changes nothing."""
    try:
        name = _name(profile)
        takes, transform = _transform(profile)
        if takes not in {mode, "RGB" if mode == "L" else mode}:
            return ColourSpace(f"{_UNUSABLE} (of another kind of pixels)")
        probe = _probe(takes)
        if probe is not None and _differ(probe, transform.apply(probe)) <= _SAME:
            return SRGB
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, KeyError):
        return ColourSpace(_UNUSABLE)
    return ColourSpace(name or "unnamed profile", profile)


@lru_cache(8)
def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform]:
    """Returns the mode of pixels that a profile takes, and its transform to sRGB."""
    opened = ImageCms.getOpenProfile(io.BytesIO(profile))
    takes = _MODES[opened.profile.xcolor_space]
    return takes, ImageCms.buildTransform(
        opened,
        ImageCms.createProfile("sRGB"),
        takes,
        "RGB",
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _name(profile: bytes) -> str:
    said = ImageCms.getProfileDescription(ImageCms.getOpenProfile(io.BytesIO(profile)))
    return "".join(sign for sign in said if sign.isprintable()).strip()[:_NAME_LENGTH]


def _probe(takes: str) -> Image.Image | None:
    """Returns colours on a grid, to see whether a profile changes any; None where it always does."""
    if takes == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    if takes != "RGB":
        return None
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(steps, steps, steps), -1).reshape(len(steps), -1, 3))


def _differ(probe: Image.Image, made: Image.Image) -> int:
    return int(np.abs(np.asarray(probe.convert("RGB"), np.int16) - np.asarray(made, np.int16)).max())


@cache
def _lab() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()


def _adobe() -> bytes:
    return rgb_profile("Adobe RGB", PRIMARIES["Adobe RGB"], D65, ADOBE_GAMMA)


def _coded(primaries: int, curve: int) -> ColourSpace:
    """Returns the space of two code points of ITU-T H.273."""
    if curve in _HDR:
        return ColourSpace(f"{_UNUSABLE} (high dynamic range, {_HDR[curve]})")
    name, gamma = _CODED.get(primaries, "sRGB"), _GAMMAS.get(curve)
    if name == "sRGB" and gamma is None:
        return SRGB
    return ColourSpace(name, rgb_profile(name, PRIMARIES[name], D65, gamma))


def _of_png(info: dict[Any, Any]) -> ColourSpace:
    """Returns the space that gAMA and cHRM state."""
    gamma, seen = float(info.get("gamma", _USUAL_GAMMA)), info.get("chromaticity")
    if "srgb" in info or not info.keys() & {"gamma", "chromaticity"}:
        return SRGB
    usual = abs(gamma - _USUAL_GAMMA) < 0.005
    if not _GAMMA_RANGE[0] <= gamma <= _GAMMA_RANGE[1]:
        return ColourSpace(_UNUSABLE)
    power = None if usual else 1 / gamma
    white, *primaries = [(seen[i], seen[i + 1]) for i in (0, 2, 4, 6)] if seen else (D65, *PRIMARIES["sRGB"])
    try:
        profile = rgb_profile("gAMA and cHRM", (primaries[0], primaries[1], primaries[2]), white, power)
    except (ValueError, ArithmeticError, struct.error):
        return ColourSpace(_UNUSABLE)
    return judged(profile, "RGB")
