"""Decodes bytes or files safely to upright 8-bit sRGB images without metadata.

Memory is bounded: files above ``BIG_BYTES`` and images above ``BIG_PIXELS`` are opened one at a time in a process. With
``max_side`` one takes at most 8 bytes a pixel and its file, about 1 GB for 120 megapixels; 16 bytes a pixel without it,
or with 16-bit colour. A JPEG is decoded at a reduced scale, and takes next to nothing.
"""

import hashlib
import os
import threading
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from doubleread.core.case import MAX_IMAGE_BYTES
from doubleread.core.errors import FileError, FileMissing, ImageError
from doubleread.core.picture_record import PictureRecord
from doubleread.core.safe_files import open_regular
from doubleread.core.types import Vector
from doubleread.rag.images._colour_spaces import ADOBE_EXIF, ColourSpace, to_srgb
from doubleread.rag.images._deep_pixels import Values, extent, mapped, sampled
from doubleread.rag.images._picture_files import PictureFile, decoding, open_file
from doubleread.rag.images.image_policy import ImagePolicy

BIG_BYTES, BIG_PIXELS = 50_000_000, 40_000_000
MIN_SIDE = 8
MAX_ASPECT = 50
STRICT = ImagePolicy()
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = (5, 6, 7, 8)
_one_big = threading.RLock()


class OpenedPicture(NamedTuple):
    """An image, and what its file held."""

    image: Image.Image
    record: PictureRecord


class _Decoded(NamedTuple):
    image: Image.Image
    file: PictureFile
    size: tuple[int, int]
    """Of the file, before pixels were skipped."""
    space: ColourSpace


def open_image(
    data: bytes | Path, *, policy: ImagePolicy = STRICT, max_side: int | None = None, sha256: str | None = None
) -> Image.Image:
    """Opens an image as 8-bit RGB in sRGB, upright, without metadata; transparent pixels become white.

    The contents decide the kind of file (see ``image_kinds``), not the name. ``max_side`` limits the longer side, in
    pixels, and makes large JPEGs decode several times faster. ``sha256`` is the expected digest of the bytes: a case's
    path may come from an untrusted source, and its id identifies the image.

    Raises ``ImageError`` with one of the codes ``missing``, ``not-a-file``, ``unreadable``, ``too-large``,
    ``empty``, ``changed``, ``not-an-image``, ``extra-needed``, ``corrupt``, ``too-many-pixels``, ``too-small``,
    ``bad-shape``, ``multi-frame``, ``high-bit-depth``, ``non-finite``.
    """
    return _decoded(data, policy, max_side, sha256).image


def open_picture(
    data: bytes | Path, *, policy: ImagePolicy = STRICT, max_side: int | None = None, sha256: str | None = None
) -> OpenedPicture:
    """Like ``open_image``, with a record of what the file held."""
    made = _decoded(data, policy, max_side, sha256)
    return OpenedPicture(made.image, _record(made.file, made.size, made.space, policy))


def _decoded(data: bytes | Path, policy: ImagePolicy, max_side: int | None, sha256: str | None) -> _Decoded:
    with ExitStack() as held:
        file = _opened(data, policy, sha256, held)
        size = file.size
        held.enter_context(decoding)
        if max_side is not None and max(size) > max_side:
            file.shrink(max_side)
        if file.size[0] * file.size[1] > BIG_PIXELS:
            held.enter_context(_one_big)
        space = file.colours()
        pixels = _pixels(file, policy, max_side)
        return _Decoded(_rgb(pixels, space, file.turned(), max_side), file, size, space)


def record_of(data: bytes | Path, policy: ImagePolicy = STRICT, sha256: str | None = None) -> PictureRecord:
    """Returns what an image file holds, without decoding its pixels. Raises ``ImageError``."""
    with ExitStack() as held:
        file = _opened(data, policy, sha256, held)
        held.enter_context(decoding)
        return _record(file, file.size, file.colours(), policy)


class DeepValues(NamedTuple):
    """What the range of a panel is learned from."""

    extent: tuple[float, float]
    """Smallest and largest value of the image."""
    sample: Vector
    """At most 10,000 values."""


def deep_values(data: bytes | Path, policy: ImagePolicy) -> DeepValues | None:
    """Returns values of an image with more than 8 bits a channel; None for others. Raises ``ImageError``."""
    with ExitStack() as held:
        values = _deep(_opened(data, replace(policy, stretch=True), None, held))
        return None if values is None else DeepValues(extent(values), sampled(values))


def orientation_of(data: bytes) -> int:
    """Returns the EXIF orientation, 2 to 8, or 1 for upright. Raises ``ImageError``."""
    turned = open_file(data).turned()
    return turned if turned in _UPRIGHT else 1


def size_of(data: bytes) -> tuple[int, int]:
    """Returns width and height as they stand in the file, before it is turned upright. Raises ``ImageError``."""
    return open_file(data).size


def is_adobe_rgb(data: bytes) -> bool:
    """Whether only EXIF says that the colours are Adobe RGB. Raises ``ImageError``."""
    with decoding:
        return open_file(data).colours().name == ADOBE_EXIF


def _opened(data: bytes | Path, policy: ImagePolicy, sha256: str | None, held: ExitStack) -> PictureFile:
    raw = _read(data, held) if isinstance(data, Path) else data
    _check_bytes(raw, sha256)
    file = open_file(raw)
    _choose_frame(file, policy.frame)
    _check_shape(file.size, policy.max_pixels)
    if file.bits > 8 and not file.window:
        _check_depth(file, policy)
    return file


def _read(path: Path, held: ExitStack) -> bytes:
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            _check_size(size)
            if size > BIG_BYTES:
                held.enter_context(_one_big)
            return file.read(MAX_IMAGE_BYTES + 1)
    except FileMissing:
        raise ImageError("missing", f"{path} does not exist: check the path, or the link it is") from None
    except FileError as error:
        if path.exists() and not path.is_file():
            raise ImageError(
                "not-a-file", f"{path} is not a regular file: name an image file, or a link to one"
            ) from None
        why = str(error).removeprefix(f"{path} cannot be opened: ")
        raise ImageError("unreadable", f"{path} cannot be opened ({why}): check its permissions") from None


def _check_size(size: int) -> None:
    if size > MAX_IMAGE_BYTES:
        most = f"at most {MAX_IMAGE_BYTES // 1_000_000} MB are read"
        raise ImageError("too-large", f"the file has {size:,} bytes; {most}: export it smaller, as JPEG or PNG")


def _check_bytes(raw: bytes, sha256: str | None) -> None:
    if not raw:
        raise ImageError("empty", "the file has no bytes; an image is needed: copy or download it again")
    _check_size(len(raw))
    if sha256 is not None and hashlib.sha256(raw).hexdigest() != sha256:
        raise ImageError(
            "changed",
            f"the file does not hold the image of case {sha256[:12]}: it was changed or replaced; put the original "
            "back, or add the file as a new case",
        )


def _choose_frame(file: PictureFile, frame: int) -> None:
    if file.frames == 1:
        return
    if frame == 0:
        raise ImageError(
            "multi-frame",
            f"the file has {file.frames} frames or pages, and one image is read: save the one meant on its own, or set "
            "frame of [images] in the settings to its number",
        )
    if frame > file.frames:
        raise ImageError(
            "multi-frame", f"the file has {file.frames} frames or pages; frame of [images] asks for number {frame}"
        )
    file.seek(frame - 1)


def _check_shape(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            "too-many-pixels",
            f"the image is {width} × {height} = {width * height / 1e6:.0f} megapixels; at most "
            f"{max_pixels / 1e6:g} are read: scale it down, or raise max_megapixels of [images] in the settings",
        )
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            "too-small", f"the image is {width} × {height}; each side needs {MIN_SIDE} pixels: use the original"
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(
            "bad-shape", f"the image is {width} × {height}; at most {MAX_ASPECT} to 1 is allowed: crop it first"
        )


def _check_depth(file: PictureFile, policy: ImagePolicy) -> None:
    """Refuses an image with more than 8 bits unless the policy says what becomes of them."""
    if policy.stretch or policy.limits is not None:
        return
    told = f"the image has {file.bits} bits per channel ({file.mode})"
    if policy.depth == "refuse":
        if file.bits > 16:
            _deep(file)  # NaN is told first
        raise ImageError(
            "high-bit-depth",
            f"{told}; 8 are read: choose the range of values that matters (the window) and export it as 8-bit, or "
            'set depth of [images] in the settings to "range" or "percentile" and fit a panel, which learns a range',
        )
    raise ImageError(
        "high-bit-depth",
        f"{told}, and no range was learned for them: a panel learns it from images of this kind among those it is "
        f'fitted on, where depth of [images] is "{policy.depth}"; fit it with such images, or export this one as 8-bit',
    )


def _deep(file: PictureFile) -> Values | None:
    if file.bits <= 8 or file.window or file.for_screens:
        return None
    values = file.deep()
    if values is not None and values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ImageError("non-finite", "the image holds NaN or infinite values: replace them and export it as 8-bit")
    return values


def _pixels(file: PictureFile, policy: ImagePolicy, max_side: int | None) -> Image.Image:
    """Returns 8-bit pixels in a mode of the file's."""
    values = _deep(file)
    image = file.pixels() if values is None else mapped(values, policy.limits or extent(values))
    pixels = image.width * image.height
    if max_side is not None and pixels > BIG_PIXELS and (times := max(image.size) // (2 * max_side)) > 1:
        image = (image if image.mode != "P" else _flat(image)).reduce(times)
    return image


def _flat(image: Image.Image) -> Image.Image:
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _rgb(image: Image.Image, space: ColourSpace, turned: int, max_side: int | None) -> Image.Image:
    """Returns upright RGB pixels in sRGB, without metadata."""
    if space.profile:
        image = to_srgb(_small(_flat(image) if image.mode in {"P", "PA"} else image, max_side), space)
    pixels = _opaque(image)
    turn = _UPRIGHT.get(turned)
    pixels = pixels.transpose(turn) if turn is not None else pixels
    if max_side is not None:
        pixels.thumbnail((max_side, max_side), Image.Resampling.BICUBIC)
    pixels.info.clear()
    return pixels


def _small(image: Image.Image, max_side: int | None) -> Image.Image:
    if max_side is None or max(image.size) <= max_side:
        return image
    small = image.copy()
    small.thumbnail((max_side, max_side), Image.Resampling.BICUBIC)
    return small


def _opaque(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    overlay = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(overlay)
    return white.convert("RGB")


def _record(file: PictureFile, size: tuple[int, int], space: ColourSpace, policy: ImagePolicy) -> PictureRecord:
    learned = policy.limits if file.bits > 8 and not file.for_screens else None
    width, height = size[::-1] if file.turned() in _ON_ITS_SIDE else size
    return PictureRecord(
        format=file.kind,
        mode=file.mode,
        bits=file.bits,
        width=width,
        height=height,
        profile=space.name,
        frames=file.frames,
        window=file.window or ("" if learned is None else f"{learned[0]:g} to {learned[1]:g}"),
    )
