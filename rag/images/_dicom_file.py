"""Opens DICOM files. Only the elements that describe pixels are read: what names a patient is never parsed."""

import io
from typing import Any

import numpy as np
from PIL import Image

from doubleread.core.errors import ImageError
from doubleread.rag.images._colour_spaces import SRGB, ColourSpace, judged
from doubleread.rag.images._deep_pixels import Values, mapped
from doubleread.rag.images._picture_files import needs

_TAGS = (
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "ICCProfile",
    "RescaleIntercept", "RescaleSlope", "ModalityLUTSequence",
    "WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "SegmentedRedPaletteColorLookupTableData",
    "SegmentedGreenPaletteColorLookupTableData", "SegmentedBluePaletteColorLookupTableData",
    "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
)  # fmt: skip
_DEFLATED, _META = b"1.2.840.10008.1.2.1.99", 4096


class DicomFile:
    """A DICOM file with an image. Its first window is used."""

    kind, for_screens = "DICOM", False

    def __init__(self, raw: bytes) -> None:
        self._pydicom = _pydicom()
        if _DEFLATED in raw[:_META]:  # would be inflated to any size before anything can be checked
            raise ImageError("not-an-image", "the DICOM file is deflated, which is not read: export it uncompressed")
        self._ds = self._call("dcmread", lambda: self._pydicom.dcmread(io.BytesIO(raw), specific_tags=list(_TAGS)))
        if "PixelData" not in self._ds:
            raise ImageError("not-an-image", "the DICOM file holds no image (no pixel data): choose another file")
        self._frame = 0
        self._call("header", self._read_header)

    def _read_header(self) -> None:
        ds = self._ds
        self.size = int(ds.Columns), int(ds.Rows)
        self.frames = int(ds.get("NumberOfFrames") or 1)
        self._grey = str(ds.PhotometricInterpretation).startswith("MONOCHROME")
        self.mode, self.bits = "greyscale" if self._grey else "RGB", int(ds.BitsStored)
        self.window = self._window()

    def colours(self) -> ColourSpace:
        profile = self._ds.get("ICCProfile")
        return judged(bytes(profile), "RGB") if profile and not self._grey else SRGB

    def seek(self, frame: int) -> None:
        self._frame = frame

    def shrink(self, side: int) -> None:
        """Does nothing: DICOM is decoded whole."""

    def turned(self) -> int:
        return 1

    def deep(self) -> Values | None:
        """Returns values in the unit of the modality; None if a window or a palette says how they are shown."""
        if self.window or not self._grey:
            return None
        return np.asarray(self._call("pixels", self._positive))

    def pixels(self) -> Image.Image:
        image: Image.Image = self._call("pixels", self._shown if self._grey else self._coloured)
        return image

    def _values(self) -> Values:
        from pydicom.pixels import apply_modality_lut, pixel_array  # noqa: PLC0415 - an extra

        return np.asarray(apply_modality_lut(pixel_array(self._ds, index=self._frame), self._ds))

    def _positive(self) -> Values:
        """Returns values whose largest is the brightest."""
        values = self._values()
        return -values.astype(float) if self._inverse else values

    @property
    def _inverse(self) -> bool:
        return str(self._ds.PhotometricInterpretation) == "MONOCHROME1"

    def _shown(self) -> Image.Image:
        values, ds = self._values(), self._ds
        if ds.get("VOILUTSequence"):
            from pydicom.pixels import apply_voi_lut  # noqa: PLC0415 - an extra

            top = 2 ** int(ds.VOILUTSequence[0].LUTDescriptor[2]) - 1
            image = mapped(np.asarray(apply_voi_lut(values, ds, index=0)), (0, top))
        elif self.window:
            image = self._windowed(values)
        else:
            image = mapped(values, self._whole_range())
        return Image.eval(image, lambda value: 255 - value) if self._inverse else image

    def _windowed(self, values: Values) -> Image.Image:
        centre, width = _first(self._ds.WindowCenter), _first(self._ds.WindowWidth)
        how = str(self._ds.get("VOILUTFunction") or "LINEAR")
        if how == "SIGMOID":
            return mapped(1 / (1 + np.exp(-4 * (values - centre) / width)), (0, 1))
        if how == "LINEAR_EXACT":
            return mapped(values, (centre - width / 2, centre + width / 2))
        half = max(width - 1, 1e-6) / 2
        return mapped(values, (centre - 0.5 - half, centre - 0.5 + half))

    def _whole_range(self) -> tuple[float, float]:
        """Returns the values that all bits can hold, in the unit of the modality."""
        signed, ds = bool(self._ds.get("PixelRepresentation")), self._ds
        low = -(2 ** (self.bits - 1)) if signed else 0
        slope, shift = float(ds.get("RescaleSlope") or 1), float(ds.get("RescaleIntercept") or 0)
        return low * slope + shift, (low + 2**self.bits - 1) * slope + shift

    def _coloured(self) -> Image.Image:
        from pydicom.pixels import apply_color_lut, pixel_array  # noqa: PLC0415 - an extra

        values = pixel_array(self._ds, index=self._frame)
        if str(self._ds.PhotometricInterpretation) == "PALETTE COLOR":
            values = apply_color_lut(values, self._ds)
        return Image.fromarray(values if values.dtype == np.uint8 else (values >> 8).astype(np.uint8))

    def _window(self) -> str:
        if self._ds.get("VOILUTSequence"):
            return "lookup table of the file"
        if self._ds.get("WindowCenter") is None or self._ds.get("WindowWidth") is None:
            return ""
        return f"centre {_first(self._ds.WindowCenter):g}, width {_first(self._ds.WindowWidth):g}"

    def _call(self, what: str, work: Any) -> Any:
        """Converts any error of pydicom; its text is not repeated, since it may quote the file."""
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - pydicom and its decoders raise errors of many kinds
            raise ImageError(
                "corrupt",
                f"the DICOM file cannot be read ({what}: {type(error).__name__}): it is damaged, or compressed in a "
                "way that is not read; export it again, uncompressed or as PNG",
            ) from None


def _first(value: Any) -> float:
    return float(value[0] if hasattr(value, "__iter__") and not isinstance(value, str) else value)


def _pydicom() -> Any:
    try:
        import pydicom  # noqa: PLC0415 - an extra
    except ImportError:
        raise needs("DICOM") from None
    return pydicom
