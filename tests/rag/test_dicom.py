"""DICOM: pixels as a radiologist sees them, and nothing that names a patient."""

import io
import sys
import warnings

import numpy as np
import pytest

from doubleread.core.case import Case
from doubleread.core.errors import ImageError
from doubleread.rag.images.case_images import Images
from doubleread.rag.images.image_kinds import kind_of
from doubleread.rag.images.image_policy import ImagePolicy
from doubleread.rag.images.safe_images import deep_values, open_image, open_picture

SECRET = "DOE^JANE"
RAMP = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)


def dicom(pixels=RAMP, photometric="MONOCHROME2", bits=12, compressed=None, **tags):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, "1.2.840.10008.5.1.4.1.1.7"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    ds = FileDataset("none", {}, file_meta=meta, preamble=b"\0" * 128)
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = SECRET, SECRET, "19700101"
    ds.StudyDescription, ds.InstitutionName = SECRET, SECRET
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    colours = photometric in {"RGB", "YBR_FULL"}
    frames = pixels.shape[:1] if pixels.ndim == 3 + colours else ()
    ds.Rows, ds.Columns = pixels.shape[len(frames) : len(frames) + 2]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 3 if colours else 1, photometric
    if colours:
        ds.PlanarConfiguration = 0
    if frames:
        ds.NumberOfFrames = frames[0]
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 8 * pixels.itemsize, bits, bits - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    for name, value in tags.items():
        setattr(ds, name, value)
    ds.PixelData = pixels.tobytes()
    if compressed is not None:
        ds.compress(getattr(pydicom.uid, compressed))
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    assert SECRET.encode() in buffer.getvalue()
    return buffer.getvalue()


def grey(image):
    return np.asarray(image)[..., 0].astype(int)


def window(values, centre, width):
    low = centre - 0.5 - (width - 1) / 2
    return np.rint(((values - low) / (width - 1) * 255).clip(0, 255))


def test_the_first_window_is_applied_after_the_rescaling():
    data = dicom(RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=[40, 500], WindowWidth=[400, 2000])
    opened = open_picture(data)
    assert np.abs(grey(opened.image) - window(RAMP.astype(float) - 1024, 40, 400)).max() <= 1
    assert (opened.record.format, opened.record.bits, opened.record.mode) == ("DICOM", 12, "greyscale")
    assert opened.record.window == "centre 40, width 400"
    assert kind_of(data) == "DICOM"


def test_monochrome_1_is_turned_to_bright_on_dark():
    data = dicom(photometric="MONOCHROME1", WindowCenter=2048, WindowWidth=4096)
    assert np.abs(grey(open_image(data)) - (255 - window(RAMP.astype(float), 2048, 4096))).max() <= 1


@pytest.mark.parametrize("how", ["SIGMOID", "LINEAR_EXACT"])
def test_other_shapes_of_windows(how):
    shown = grey(open_image(dicom(WindowCenter=2000, WindowWidth=1000, VOILUTFunction=how)))
    x = RAMP.astype(float)
    wanted = 255 / (1 + np.exp(-4 * (x - 2000) / 1000)) if how == "SIGMOID" else ((x - 1500) / 1000 * 255).clip(0, 255)
    assert np.abs(shown - np.rint(wanted)).max() <= 1


def test_without_a_window_the_panel_s_range_decides():
    data = dicom(pixels=RAMP.astype(np.int16), bits=16, RescaleSlope=2, RescaleIntercept=-1000)
    with pytest.raises(ImageError) as caught:
        open_image(data)
    assert caught.value.code == "high-bit-depth"
    learned = deep_values(data, ImagePolicy(depth="range"))
    assert learned.extent == (-1000.0, 2 * RAMP.max() - 1000.0)
    shown = grey(open_image(data, policy=ImagePolicy(limits=learned.extent)))
    assert (shown.min(), shown.max()) == (0, 255)


@pytest.mark.parametrize("photometric", ["MONOCHROME2", "RGB", "YBR_FULL"])
def test_eight_bits_are_read_as_they_are(photometric):
    base = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    base = base if photometric != "MONOCHROME2" else base[..., 0]
    stored = base
    if photometric == "YBR_FULL":
        from PIL import Image

        stored = np.asarray(Image.fromarray(base).convert("YCbCr"))
    image = np.asarray(open_image(dicom(stored, photometric, bits=8)))
    assert np.abs((image if image.shape == base.shape else image[..., 0]).astype(int) - base).max() <= 3


def test_a_palette_of_16_bits():
    ramp = np.arange(256, dtype="<u2") * 257
    tables = {
        f"{name}PaletteColorLookupTable{what}": value
        for name, table in (("Red", ramp), ("Green", ramp[::-1]), ("Blue", ramp * 0))
        for what, value in (("Descriptor", [256, 0, 16]), ("Data", table.tobytes()))
    }
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = np.asarray(open_image(dicom(pixels, "PALETTE COLOR", bits=8, **tables)))
    assert np.array_equal(image[..., 0], pixels)
    assert np.array_equal(image[..., 1], 255 - pixels)


@pytest.mark.parametrize("syntax", ["RLELossless", "JPEG2000Lossless"])
def test_compressed_files(syntax):
    if syntax != "RLELossless":
        pytest.importorskip("openjpeg")
    data = dicom(compressed=syntax, WindowCenter=2048, WindowWidth=4096)
    assert np.array_equal(
        np.asarray(open_image(data)), np.asarray(open_image(dicom(WindowCenter=2048, WindowWidth=4096)))
    )


def test_a_frame_of_several_has_to_be_chosen():
    data = dicom(np.stack([RAMP, RAMP[::-1]]), WindowCenter=2048, WindowWidth=4096)
    with pytest.raises(ImageError, match="frame of \\[images\\]") as caught:
        open_image(data)
    assert caught.value.code == "multi-frame"
    second = open_image(data, policy=ImagePolicy(frame=2))
    assert np.array_equal(grey(second), grey(open_image(dicom(RAMP[::-1], WindowCenter=2048, WindowWidth=4096))))


def test_a_large_header_is_refused_before_pixels_are_decoded():
    with pytest.raises(ImageError) as caught:
        open_image(dicom(WindowCenter=1, WindowWidth=2, Rows=20_000, Columns=20_000))
    assert caught.value.code == "too-many-pixels"


@pytest.mark.parametrize("cut", [200, 600, 3000])
def test_nothing_that_names_the_patient_leaves_the_file(cut, tmp_path):
    """Not in the record, the case, the pixels, errors or warnings, even where the file is broken."""
    data = dicom(WindowCenter=2048, WindowWidth=4096)
    path = tmp_path / "a.dcm"
    path.write_bytes(data)
    images, case = Images(), Case.from_file(path)
    image = images.open(case)
    kept = f"{images.record(case)} {case} {image.info} {dict(image.getexif())}"
    assert SECRET not in kept
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with pytest.raises(ImageError) as caught:
            open_image(data[:cut] + b"\xff" * 40)
    assert SECRET not in f"{caught.value!r} {[str(one.message) for one in said]}"
    assert caught.value.__cause__ is None


def test_without_the_extra_the_message_names_it():
    data, absent = b"\0" * 128 + b"DICM" + bytes(100), sys.modules.get("pydicom")
    sys.modules["pydicom"] = None
    try:
        with pytest.raises(ImageError, match=r"pip install 'doubleread\[dicom\]'") as caught:
            open_image(data)
    finally:
        sys.modules.pop("pydicom")
        if absent is not None:
            sys.modules["pydicom"] = absent
    assert caught.value.code == "extra-needed"


def test_a_deflated_file_is_refused_before_it_grows():
    pytest.importorskip("pydicom")
    with pytest.raises(ImageError, match="deflated") as caught:
        open_image(b"\0" * 128 + b"DICM" + b"1.2.840.10008.1.2.1.99" + bytes(100))
    assert caught.value.code == "not-an-image"
