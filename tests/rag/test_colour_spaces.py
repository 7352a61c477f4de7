"""Whatever colour space a file states, its pixels come out as sRGB; without a statement they stay as they are."""

import io
import struct
import zlib

import numpy as np
import pytest
from colour_kit import ADOBE, GREY, PRO, WIDE, cmyk_profile, in_adobe, in_cmyk, in_p3, linear
from PIL import Image, ImageCms
from rag_support import encoded

from doubleread.rag.images.safe_images import open_image, open_picture

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def scene(side=64):
    """Smooth colours inside every colour space."""
    x, y = np.meshgrid(np.linspace(30, 225, side), np.linspace(30, 225, side))
    return Image.fromarray(np.stack([x, y, (x + 255 - y) / 2], -1).astype(np.uint8))


def difference(image, wanted):
    return float(np.abs(np.asarray(image, int) - np.asarray(wanted, int)).mean())


def chunked(data, *chunks):
    """A PNG with more chunks behind its header."""
    more = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return data[:33] + more + data[33:]


@pytest.mark.parametrize(
    ("name", "format"),
    [
        (n, f) for n in WIDE for f in ("PNG", "TIFF", "JPEG", "WEBP") if (n, f) != ("grey", "WEBP")
    ],  # WebP is colour only
)
def test_an_embedded_profile_is_converted(name, format):
    into, profile = WIDE[name]
    wanted = scene().convert("L") if name == "grey" else scene()
    more = {"quality": 100, "subsampling": 0} if format == "JPEG" else {"lossless": True} if format == "WEBP" else {}
    data = encoded(into(scene()), format, icc_profile=profile, **more)
    opened = open_picture(data)
    assert difference(opened.image, wanted.convert("RGB")) < 2
    assert opened.record.profile == ImageCms.getProfileDescription(io.BytesIO(profile)).strip()
    unconverted = open_image(encoded(into(scene()), format, **more))
    assert difference(unconverted, wanted.convert("RGB")) > (0.5 if name == "grey" else 3)


@pytest.mark.parametrize("side", [None, 300])
def test_large_pictures_are_converted_at_every_scale(side):
    large = scene().resize((1200, 1200))
    data = encoded(in_adobe(large), "JPEG", icc_profile=ADOBE, quality=95)
    image = open_image(data, max_side=side)
    assert difference(image, large.resize(image.size)) < 2


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "L", "1"])
def test_a_profile_of_colour_fits_every_mode_of_pixels(mode):
    adobe = in_adobe(scene())
    opened = open_picture(
        encoded(adobe.quantize(256) if mode == "P" else adobe.convert(mode), "PNG", icc_profile=ADOBE)
    )
    assert opened.image.mode == "RGB"
    wanted = scene() if mode in {"P", "RGBA"} else scene().convert("L").convert("RGB")
    assert mode == "1" or difference(opened.image, wanted) < 8
    assert opened.record.profile.startswith("Adobe RGB")


def test_transparent_pixels_of_a_picture_with_a_profile_are_white():
    clear = Image.new("RGBA", (16, 16), (200, 10, 10, 0))
    assert open_image(encoded(clear, icc_profile=PRO)).getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize("format", ["PNG", "TIFF", "JPEG", "WEBP"])
def test_a_profile_that_means_srgb_changes_no_pixel(format):
    plain, tagged = encoded(scene(), format), encoded(scene(), format, icc_profile=SRGB)
    assert np.array_equal(open_image(plain), open_image(tagged))
    assert open_picture(tagged).record.profile == ""


@pytest.mark.parametrize(
    ("profile", "mode"),
    [(b"no profile", "RGB"), (ADOBE[:200], "RGB"), (ADOBE[:128] + bytes(300), "RGB"), (GREY, "RGB"), (ADOBE, "CMYK")],
)
def test_a_profile_that_cannot_be_used_is_ignored_and_recorded(profile, mode):
    picture = scene().convert(mode)
    opened = open_picture(encoded(picture, "TIFF", icc_profile=profile))
    assert np.array_equal(opened.image, open_image(encoded(picture, "TIFF")))
    assert "cannot be used" in opened.record.profile


@pytest.mark.parametrize("format", ["JPEG", "TIFF"])
def test_inks_are_converted_by_their_profile(format):
    inks, profile = in_cmyk(scene()), cmyk_profile()
    more = {"quality": 100, "subsampling": 0} if format == "JPEG" else {}
    opened = open_picture(encoded(inks, format, icc_profile=profile, **more))
    assert difference(opened.image, scene()) < 4
    assert (opened.record.mode, opened.record.profile) == ("CMYK", "Some press")
    assert difference(open_image(encoded(inks, format, **more)), scene()) > 15


def test_lab_is_read():
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    opened = open_picture(encoded(ImageCms.applyTransform(scene(), to_lab), "TIFF"))
    assert difference(opened.image, scene()) < 3
    assert (opened.record.mode, opened.record.profile) == ("Lab", "Lab")


@pytest.mark.parametrize("tags", ["space", "index", "srgb", "nothing"])
def test_adobe_rgb_that_only_exif_states(tags):
    exif = Image.Exif()
    own = exif.get_ifd(0x8769)
    own[0xA001] = {"space": 2, "index": 0xFFFF, "srgb": 1, "nothing": 0xFFFF}[tags]
    if tags == "index":
        own[0xA005] = {1: "R03", 2: b"0100"}
    data = encoded(in_adobe(scene()), "JPEG", exif=exif, quality=100, subsampling=0)
    opened, adobe = open_picture(data), tags in {"space", "index"}
    assert (difference(opened.image, scene()) < 2) == adobe
    assert opened.record.profile == ("Adobe RGB (EXIF)" if adobe else "")


def test_png_states_gamma_and_primaries():
    bright = Image.fromarray(np.rint(linear(scene()) ** (1 / 1.8) * 255).astype(np.uint8))
    gamma = (b"gAMA", struct.pack(">I", round(100_000 / 1.8)))
    assert difference(open_image(chunked(encoded(bright), gamma)), scene()) < 2
    usual = (b"gAMA", struct.pack(">I", 45455))
    assert np.array_equal(open_image(chunked(encoded(scene()), usual)), scene())
    assert np.array_equal(open_image(chunked(encoded(bright), gamma, (b"sRGB", b"\0"))), bright)
    zero = open_picture(chunked(encoded(bright), (b"gAMA", bytes(4)), (b"cHRM", bytes(32))))
    assert np.array_equal(zero.image, bright)
    assert "cannot be used" in zero.record.profile


def test_png_states_code_points():
    display = chunked(encoded(in_p3(scene())), (b"cICP", bytes([12, 13, 0, 1])))
    opened = open_picture(display)
    assert difference(opened.image, scene()) < 2
    assert opened.record.profile == "Display P3"
    plain = open_picture(chunked(encoded(scene(), icc_profile=ADOBE), (b"cICP", bytes([1, 13, 0, 1]))))
    assert np.array_equal(plain.image, scene())
    bright = open_picture(chunked(encoded(scene()), (b"cICP", bytes([9, 16, 0, 1]))))
    assert "high dynamic range" in bright.record.profile
