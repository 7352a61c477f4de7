"""Pictures of phones, scanners, microscopes and hospitals: read as they should look, or refused in words that help."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from rag_support import encoded, picture

from doubleread.core.errors import ImageError
from doubleread.rag.images.image_kinds import kind_of, suffix_of
from doubleread.rag.images.image_policy import ImagePolicy
from doubleread.rag.images.safe_images import open_image, open_picture

RAMP = np.linspace(1000, 5000, 64 * 64).reshape(64, 64)
DEEP = RAMP.astype(np.uint16)
LEARNED = ImagePolicy(depth="range", limits=(1000.0, 5000.0))


def colour_png(values):
    """A 16-bit RGB PNG, written without Pillow, which cannot."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def colour_tiff(values, order="<"):
    """A 16-bit RGB TIFF in either byte order, uncompressed."""
    height, width, _ = values.shape
    data, place = values.astype(f"{order}u2").tobytes(), 8 + 2 + 9 * 12 + 4
    entries = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, place), (259, 3, 1, 1), (262, 3, 1, 2)]
    entries += [(273, 4, 1, place + 6), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(data))]
    told = b"".join(
        struct.pack(f"{order}HHI", tag, kind, n)
        + (struct.pack(f"{order}HH", value, 0) if (kind, n) == (3, 1) else struct.pack(f"{order}I", value))
        for tag, kind, n, value in entries
    )
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(entries))
    return head + told + struct.pack(f"{order}I", 0) + struct.pack(f"{order}HHH", 16, 16, 16) + data


def big_tiff(values):
    """A BigTIFF of 8-bit grey."""
    height, width = values.shape
    place = 16 + 8 + 8 * 20 + 8
    entries = [
        (256, 3, width),
        (257, 3, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, place),
        (278, 3, height),
    ]
    entries += [(279, 4, values.size)]
    told = b"".join(
        struct.pack("<HHQ", tag, kind, 1) + struct.pack("<H6x" if kind == 3 else "<I4x", value)
        for tag, kind, value in entries
    )
    head = b"II+\0" + struct.pack("<HHQQ", 8, 0, 16, len(entries))
    return head + told + struct.pack("<Q", 0) + values.astype(np.uint8).tobytes()


def refused(data, **policy):
    with pytest.raises(ImageError) as caught:
        open_image(data, policy=ImagePolicy(**policy))
    return caught.value


READ = {
    "BigTIFF": (big_tiff(np.asarray(picture().convert("L"))), "BigTIFF", ".tiff"),
    "ppm": (encoded(picture(), "PPM"), "PNM", ".pnm"),
    "pgm": (encoded(picture().convert("L"), "PPM"), "PNM", ".pnm"),
    "plain pbm with a comment": (b"P1\n# by hand\n9 9\n" + b"0 1 0 " * 27, "PNM", ".pnm"),
    "avif": (encoded(picture(), "AVIF"), "AVIF", ".avif"),
    "jpeg 2000": (encoded(picture(), "JPEG2000"), "JPEG 2000", ".jp2"),
    "phone photograph with a preview": (
        encoded(picture(), "MPO", save_all=True, append_images=[picture(1)]), "JPEG", ".jpg",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_files_of_the_field_are_read_by_their_content(name):
    data, kind, suffix = READ[name]
    opened = open_picture(data)
    assert (kind_of(data), suffix_of(data), opened.record.format, opened.record.bits) == (kind, suffix, kind, 8)
    assert opened.image.mode == "RGB"
    assert min(opened.image.size) >= 8


REFUSED = {
    "JPEG XL": b"\xff\x0a" + bytes(40),
    "JPEG XL in a box": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40),
    "Photoshop": b"8BPS\0\1" + bytes(40),
    "PAM": b"P7\nWIDTH 9\nHEIGHT 9\n" + bytes(40),
    "raw of a Canon": b"\0\0\0\x18ftypcrx " + bytes(40),
    "FITS": b"SIMPLE  =                    T" + bytes(40),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_named_with_a_way_out(name):
    error = refused(REFUSED[name])
    assert error.code == "not-an-image"
    assert str(kind_of(REFUSED[name])) in str(error)
    assert "save it as PNG or JPEG" in str(error)


def test_the_preview_in_camera_raw_is_not_taken_for_the_photograph():
    buffer = io.BytesIO()
    picture().save(buffer, "TIFF", tiffinfo={254: 1})
    assert "preview" in str(refused(buffer.getvalue()))


def test_a_large_photograph_is_read_and_the_limit_names_its_setting():
    large = encoded(Image.new("RGB", (8000, 6000), (90, 120, 40)), "JPEG")
    assert open_image(large, max_side=1024).size == (1024, 768)
    assert "raise max_megapixels of [images]" in str(refused(large, max_pixels=40_000_000))


def test_a_large_file_without_reduced_scale_is_shrunk_before_it_is_converted():
    large = encoded(Image.new("P", (9000, 5000), 3), "PNG")
    assert open_image(large, max_side=512).size == (512, 284)


def test_one_frame_of_several_is_read_if_it_is_chosen():
    pages = encoded(picture(0), "TIFF", save_all=True, append_images=[picture(1), picture(2)])
    assert "frame of [images]" in str(refused(pages))
    assert np.array_equal(open_image(pages, policy=ImagePolicy(frame=2)), picture(1))
    assert open_picture(pages, policy=ImagePolicy(frame=2)).record.frames == 3
    assert "asks for number 4" in str(refused(pages, frame=4))
    assert np.array_equal(open_image(encoded(picture()), policy=ImagePolicy(frame=2)), picture())


GREY = {
    "png": encoded(Image.fromarray(DEEP)),
    "tiff": encoded(Image.fromarray(DEEP), "TIFF"),
    "tiff, compressed": encoded(Image.fromarray(DEEP), "TIFF", compression="tiff_lzw"),
    "32-bit tiff": encoded(Image.fromarray(DEEP.astype(np.int32)), "TIFF"),
    "float tiff": encoded(Image.fromarray(RAMP.astype(np.float32)), "TIFF"),
    "pgm": b"P5 64 64 65535\n" + DEEP.astype(">u2").tobytes(),
}
COLOURS = np.stack([DEEP, DEEP[::-1], DEEP.T], -1)
COLOUR = {
    "png": colour_png(COLOURS),
    "tiff": colour_tiff(COLOURS),
    "tiff, big-endian": colour_tiff(COLOURS, ">"),
    "ppm": b"P6 64 64 65535\n" + COLOURS.astype(">u2").tobytes(),
}


@pytest.mark.parametrize("name", GREY)
def test_deep_grey_is_refused_unless_a_range_was_learned(name):
    error = refused(GREY[name])
    assert error.code == "high-bit-depth"
    assert "depth of [images]" in str(error)
    opened = open_picture(GREY[name], policy=LEARNED)
    wanted = np.rint((RAMP - 1000) / 4000 * 255)
    assert np.abs(np.asarray(opened.image)[..., 0] - wanted).max() <= 1
    assert opened.record.bits in {16, 32}
    assert opened.record.window == "1000 to 5000"


@pytest.mark.parametrize("name", COLOUR)
def test_deep_colour_keeps_the_lower_half_of_its_values(name):
    assert refused(COLOUR[name]).code == "high-bit-depth"
    wanted = np.rint((COLOURS.astype(float) - 1000) / 4000 * 255)
    assert np.abs(np.asarray(open_image(COLOUR[name], policy=LEARNED)) - wanted).max() <= 1


def test_where_a_range_is_asked_for_and_none_was_learned_the_message_says_so():
    error = refused(GREY["png"], depth="percentile")
    assert "no range was learned" in str(error)
    assert "percentile" in str(error)


def test_a_deep_picture_is_shown_from_its_darkest_to_its_brightest_value():
    shown = np.asarray(open_image(GREY["png"], policy=ImagePolicy(stretch=True)))
    assert (shown.min(), shown.max()) == (0, 255)


def test_the_fingerprint_tells_one_learned_range_from_another():
    marks = {ImagePolicy(limits=limits).mark for limits in ((0.0, 1.0), (0.0, 2.0))}
    assert len(marks) == 2
    assert ImagePolicy(depth="range").mark == ""
