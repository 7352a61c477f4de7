"""Decodes bytes or files safely to upright 8-bit RGB images without metadata."""

import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin, WebPImagePlugin
from PIL.ImageFile import ImageFile

from doubleread.core.errors import FileError, FileMissing, ImageError
from doubleread.core.safe_files import open_regular

MAX_BYTES = 50_000_000
MAX_PIXELS = 40_000_000
MIN_SIDE = 8
MAX_ASPECT = 50


# Plugins are called directly: Image.open warns about large images before they can be refused, trusts MPO headers
# (phones add previews to plain photographs), and tries formats outside this list.
_PLUGINS: tuple[tuple[bytes, type[ImageFile]], ...] = (
    (b"\xff\xd8\xff", JpegImagePlugin.JpegImageFile),
    (b"\x89PNG\r\n\x1a\n", PngImagePlugin.PngImageFile),
    (b"RIFF", WebPImagePlugin.WebPImageFile),
    (b"BM", BmpImagePlugin.BmpImageFile),
    (b"II*\0", TiffImagePlugin.TiffImageFile),
    (b"MM\0*", TiffImagePlugin.TiffImageFile),
    (b"GIF8", GifImagePlugin.GifImageFile),
)
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# Errors that Pillow's decoders raise on broken files; they have no common base class.
_DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError,
    MemoryError, NotImplementedError, RuntimeError, AssertionError,
)  # fmt: skip


def open_image(
    data: bytes | Path, *, max_pixels: int = MAX_PIXELS, max_side: int | None = None, sha256: str | None = None
) -> Image.Image:
    """Opens an image as 8-bit RGB, upright, without metadata; transparent pixels become white.

    The contents decide the format (JPEG, PNG, WEBP, BMP, TIFF, GIF), not the name. ``max_side`` limits the longer side,
    in pixels, and makes large JPEGs decode several times faster. ``sha256`` is the expected digest of the bytes: a
    case's path may come from an untrusted source, and its id identifies the image.

    Raises ``ImageError`` with one of the codes ``missing``, ``not-a-file``, ``unreadable``, ``too-large``,
    ``empty``, ``changed``, ``not-an-image``, ``corrupt``, ``too-many-pixels``, ``too-small``, ``bad-shape``,
    ``multi-frame``, ``high-bit-depth``, ``non-finite``.
    """
    raw = _read(data) if isinstance(data, Path) else data
    _check_bytes(raw, sha256)
    image = _header(raw)
    _check_shape(image, max_pixels)
    _check_frames(image)
    _check_depth(image, raw)
    return _pixels(image, max_side)


def orientation_of(data: bytes) -> int:
    """Returns the EXIF orientation, 2 to 8, or 1 for upright. Raises ``ImageError``."""
    turned = _orientation(_header(data))
    return turned if turned in _UPRIGHT else 1


def size_of(data: bytes) -> tuple[int, int]:
    """Returns width and height as they stand in the file, before it is turned upright. Raises ``ImageError``."""
    return _header(data).size


def _read(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            _check_size(os.fstat(file.fileno()).st_size)
            return file.read(MAX_BYTES + 1)
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
    if size > MAX_BYTES:
        most = f"at most {MAX_BYTES // 1_000_000} MB are read"
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


@contextmanager
def _decoding() -> Iterator[None]:
    """Converts the errors of decoders to ``ImageError``."""
    try:
        yield
    except _DECODER_ERRORS as error:
        reason = str(error)[:120] or type(error).__name__
        raise ImageError("corrupt", f"the image is damaged or cut short ({reason}): copy or export it again") from None


def _header(raw: bytes) -> ImageFile:
    plugin = next((plugin for magic, plugin in _PLUGINS if raw.startswith(magic)), None)
    if plugin is None or (plugin is WebPImagePlugin.WebPImageFile and raw[8:12] != b"WEBP"):
        raise ImageError(
            "not-an-image",
            f"the file begins with {raw[:8]!r}; JPEG, PNG, WEBP, BMP, TIFF and GIF are read: convert it to one of them",
        )
    with _decoding():
        return plugin(io.BytesIO(raw))


def _check_shape(image: ImageFile, max_pixels: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise ImageError(
            "too-many-pixels",
            f"the image is {width} × {height} = {width * height / 1e6:.0f} million pixels; at most "
            f"{max_pixels / 1e6:.0f} million are read: scale it down",
        )
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            "too-small", f"the image is {width} × {height}; each side needs {MIN_SIDE} pixels: use the original"
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(
            "bad-shape", f"the image is {width} × {height}; at most {MAX_ASPECT} to 1 is allowed: crop it first"
        )


def _check_frames(image: ImageFile) -> None:
    with _decoding():
        many = bool(getattr(image, "is_animated", False))
    if many:
        raise ImageError(
            "multi-frame", "the file has several frames or pages; one image is read: save the one meant on its own"
        )


def _check_depth(image: ImageFile, raw: bytes) -> None:
    depth = _bits(image, raw)
    if image.mode == "F":
        with _decoding():
            finite = np.isfinite(np.asarray(image)).all()
        if not finite:
            raise ImageError(
                "non-finite", "the image holds NaN or infinite values: replace them and export it as 8-bit"
            )
    if depth > 8:
        raise ImageError(
            "high-bit-depth",
            f"the image has {depth} bits per channel (mode {image.mode}); 8 are read: choose the range of values that "
            "matters (the window) and export it as 8-bit, since cutting bits off by rule would hide the finding",
        )


def _bits(image: ImageFile, raw: bytes) -> int:
    """Returns bits per channel in the file; Pillow silently drops the lower half of a 16-bit colour PNG."""
    if image.mode.startswith("I;16"):
        return 16
    if image.mode in {"I", "F"}:
        return 32
    if isinstance(image, PngImagePlugin.PngImageFile):
        return raw[24]
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return int(max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (8,))))
    return 8


def _pixels(image: ImageFile, max_side: int | None) -> Image.Image:
    with _decoding():
        if max_side is not None and max(image.size) > max_side:
            share = max_side / max(image.size)
            image.draft("RGB", (round(image.width * share), round(image.height * share)))
        image.load()
        pixels = _rgb(image)
        turn = _UPRIGHT.get(_orientation(image))
        pixels = pixels.transpose(turn) if turn is not None else pixels
        if max_side is not None:
            pixels.thumbnail((max_side, max_side), Image.Resampling.BICUBIC)
    pixels.info.clear()
    return pixels


def _rgb(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    overlay = image.convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    white.alpha_composite(overlay)
    return white.convert("RGB")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _DECODER_ERRORS:
        return 1  # ignore broken metadata if the pixels are good
