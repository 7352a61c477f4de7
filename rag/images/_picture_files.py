"""Opens image files of every kind without decoding their pixels."""

import io
from collections.abc import Callable
from typing import Any, Protocol

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    features,
)
from PIL.ImageFile import ImageFile

from doubleread.core.errors import ImageError
from doubleread.rag.images._colour_spaces import ColourSpace, colour_space
from doubleread.rag.images._deep_pixels import Values, bits_of, deep_values
from doubleread.rag.images.image_kinds import EXTRAS, HEAD, kind_of, needs_extra

# Errors that decoders raise on broken files; they have no common base class.
DECODER_ERRORS = (
    OSError, SyntaxError, ValueError, EOFError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError,
    MemoryError, NotImplementedError, RuntimeError, AssertionError,
)  # fmt: skip
# Plugins are called directly: Image.open warns about large images before they can be refused, trusts MPO headers
# (phones add previews to plain photographs), and tries formats outside this list.
_PLUGINS: dict[str, Callable[[io.BytesIO], ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BigTIFF": TiffImagePlugin.TiffImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "PNM": PpmImagePlugin.PpmImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "JPEG 2000": Jpeg2KImagePlugin.Jpeg2KImageFile,
}
_FEATURES = {"AVIF": "avif", "JPEG 2000": "jpg_2000", "WEBP": "webp"}
_NAMES = "JPEG, PNG, WebP, BMP, TIFF, GIF, PNM, AVIF and JPEG 2000"
_MODES = {"1": "black and white", "CMYK": "CMYK", "LAB": "Lab"}
_SUBFILE, _REDUCED, _DNG = 254, 1, 50706


class PictureFile(Protocol):
    """An image file whose pixels are not decoded yet."""

    kind: str
    size: tuple[int, int]
    mode: str
    """As in ``PictureRecord``."""
    bits: int
    frames: int
    window: str
    """The window that the file states; empty if it states none."""
    for_screens: bool
    """Whether more than 8 bits are still colours of a screen, which the decoder maps to 8."""

    def colours(self) -> ColourSpace:
        """Returns the colour space."""
        ...

    def seek(self, frame: int) -> None:
        """Chooses a frame, from 0."""
        ...

    def shrink(self, side: int) -> None:
        """Lets the decoder skip pixels, if it can and at least ``side`` are left along the longer side."""
        ...

    def deep(self) -> Values | None:
        """Returns the values of a file with more than 8 bits; None if ``pixels`` gives all there is to show."""
        ...

    def pixels(self) -> Image.Image:
        """Decodes the image to an 8-bit mode of Pillow, not upright."""
        ...

    def turned(self) -> int:
        """Returns the EXIF orientation, 1 for upright."""
        ...


def open_file(raw: bytes) -> PictureFile:
    """Opens an image of any kind that is read. Raises ``ImageError``."""
    kind = kind_of(raw[:HEAD])
    if kind == "DICOM":
        from doubleread.rag.images._dicom_file import DicomFile  # noqa: PLC0415 - only for DICOM

        return DicomFile(raw)
    if kind is None:
        raise ImageError(
            "not-an-image", f"the file begins with {raw[:8]!r}; {_NAMES} are read: convert it to one of them"
        )
    if kind not in _PLUGINS and kind not in EXTRAS:
        raise ImageError(
            "not-an-image", f"the file is an image of the kind {kind}; {_NAMES} are read: save it as PNG or JPEG"
        )
    return PillowFile(raw, kind)


class Decoding:
    """A context that converts the errors of decoders to ``ImageError``; a class, since every image passes it twice."""

    def __enter__(self) -> None:
        """Begins."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, DECODER_ERRORS):
            reason = str(error)[:120] or type(error).__name__
            raise ImageError(
                "corrupt", f"the image is damaged or cut short ({reason}): copy or export it again"
            ) from None


decoding = Decoding()


class PillowFile:
    """A file that Pillow or one of its plugins reads."""

    window = ""

    def __init__(self, raw: bytes, kind: str) -> None:
        self.kind, self._raw, self.for_screens = kind, raw, kind in {"AVIF", "HEIC"}
        plugin = _heif_plugin() if kind == "HEIC" else _plugin(kind)
        with decoding:
            self._image = plugin(io.BytesIO(raw))
            self.size, self.bits = self._image.size, bits_of(self._image, raw)
            # HEIC: the primary image is meant, as in MPO files of phones
            self.frames = self._count() if kind != "HEIC" and getattr(self._image, "is_animated", False) else 1
        grey = self._image.mode in {"L", "LA", "I", "F"} or self._image.mode.startswith("I;16")
        self.mode = "greyscale" if grey else _MODES.get(self._image.mode, "RGB")
        if kind in {"TIFF", "BigTIFF"}:
            _check_raw(self._image)

    def _count(self) -> int:
        return int(getattr(self._image, "n_frames", 1))

    def colours(self) -> ColourSpace:
        return colour_space(self._image, self._raw)

    def seek(self, frame: int) -> None:
        with decoding:
            self._image.seek(frame)
            self.size, self.bits = self._image.size, bits_of(self._image, self._raw)

    def shrink(self, side: int) -> None:
        if self.kind == "JPEG":
            share = side / max(self.size)
            self._image.draft("RGB", (round(self.size[0] * share), round(self.size[1] * share)))
            self.size = self._image.size

    def deep(self) -> Values | None:
        with decoding:
            values = deep_values(self._image, self._raw, self.bits)
        if values is None:
            raise ImageError(
                "high-bit-depth",
                f"the image is {self.kind} with {self.bits} bits per channel in a form that is not read: save it as "
                "PNG or TIFF, greyscale or RGB",
            )
        return values

    def pixels(self) -> Image.Image:
        self._image.load()
        return self._image

    def turned(self) -> int:
        if self.kind == "HEIC":
            return 1  # libheif has turned it; EXIF says so once more
        try:
            return int(self._image.getexif().get(_ORIENTATION, 1))
        except DECODER_ERRORS:
            return 1  # ignore broken metadata if the pixels are good


_ORIENTATION = 0x0112


def _plugin(kind: str) -> Callable[[io.BytesIO], ImageFile]:
    if kind in _FEATURES and not features.check(_FEATURES[kind]):
        raise ImageError(
            "not-an-image", f"the file is {kind}, which the Pillow installed here cannot read: install its wheel"
        )
    return _PLUGINS[kind]


def _heif_plugin() -> Callable[[io.BytesIO], ImageFile]:
    try:
        from pi_heif import HeifImageFile  # noqa: PLC0415 - an extra
    except ImportError:
        raise needs("HEIC") from None
    opener: Any = HeifImageFile
    return opener  # type: ignore[no-any-return]


def needs(kind: str) -> ImageError:
    """Returns the error for a file whose kind needs an extra."""
    return ImageError("extra-needed", needs_extra(kind))


def _check_raw(image: ImageFile) -> None:
    """Refuses camera raw in the guise of TIFF, whose first image is a small preview."""
    tags = getattr(image, "tag_v2", {})
    if _DNG in tags or int(tags.get(_SUBFILE, 0)) & _REDUCED:
        raise ImageError(
            "not-an-image",
            "the first image in the TIFF file is a preview, as in camera raw: develop it, and save it as JPEG, PNG or "
            "TIFF",
        )
