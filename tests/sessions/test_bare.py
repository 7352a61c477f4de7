"""Pictures without metadata: nothing of it is left, and every pixel is as it was, the right way up."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from doubleread.core.errors import ImageError
from doubleread.rag.images.safe_images import open_image
from doubleread.sessions.export._bare import bare

SECRET = b"Ann Owner"
TURNS = range(1, 9)


def photograph(size=(48, 32), mode="RGB"):
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize(size).convert(mode)


def exif(turned=1):
    made = Image.Exif()
    made[0x0112], made[0x013B], made[0x0110] = turned, SECRET.decode(), SECRET.decode()
    made.get_ifd(0x8825)[1] = SECRET.decode()
    return made


def saved(image, kind, **more):
    out = io.BytesIO()
    image.save(out, kind, **more)
    return out.getvalue()


def checked(data, suffix):
    """The picture without metadata, after looking that pixels stayed and nothing else did."""
    made, found = bare(data)
    assert found == suffix
    assert SECRET not in made
    np.testing.assert_array_equal(np.asarray(open_image(made)), np.asarray(open_image(data)))
    left = Image.open(io.BytesIO(made))
    assert set(left.getexif()) <= {0x0112}
    return made


@pytest.mark.parametrize("turned", TURNS)
@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", ".jpg"), ("PNG", ".png"), ("WEBP", ".webp"), ("TIFF", ".png")])
def test_exif_is_gone_and_the_picture_is_the_right_way_up(turned, kind, suffix):
    checked(saved(photograph(), kind, exif=exif(turned)), suffix)


@pytest.mark.parametrize(
    "more", [{"progressive": True}, {"subsampling": 2}, {"restart_marker_blocks": 2}, {"comment": SECRET}]
)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_every_kind_of_jpeg_keeps_its_compressed_pixels(mode, more):
    data = saved(photograph(mode=mode), "JPEG", exif=exif(), **more)
    made = checked(data, ".jpg")
    assert data[data.rindex(b"\xff\xda") :] == made[made.rindex(b"\xff\xda") :]


def test_segments_that_are_not_about_pixels_are_dropped():
    data = saved(photograph(), "JPEG")
    extra = b"".join(
        b"\xff" + bytes([marker]) + (2 + len(body)).to_bytes(2, "big") + body
        for marker, body in (
            (0xED, b"Photoshop 3.0\0" + SECRET), (0xFE, SECRET), (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + SECRET),
            (0xE2, b"MPF\0" + SECRET), (0xE5, SECRET),
        )
    )  # fmt: skip
    checked(data[:2] + extra + data[2:], ".jpg")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_what_hangs_behind_the_picture_is_dropped(kind):
    checked(saved(photograph(), kind) + SECRET * 100, {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}[kind])


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1"])
def test_texts_of_a_png_are_gone(mode):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", SECRET.decode())
    texts.add_text("zipped", SECRET.decode(), zip=True)
    texts.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    made = checked(saved(photograph(mode=mode), "PNG", pnginfo=texts, exif=exif()), ".png")
    assert not {b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME"} & {made[i : i + 4] for i in range(len(made))}


@pytest.mark.parametrize("more", [{"lossless": True}, {"quality": 60}])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_metadata_of_a_webp_is_gone(mode, more):
    made = checked(saved(photograph(mode=mode), "WEBP", exif=exif(), xmp=SECRET, **more), ".webp")
    assert b"XMP " not in made


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_other_formats_become_png(kind):
    more = {"GIF": {"comment": SECRET}, "TIFF": {"description": SECRET.decode()}}.get(kind, {})
    checked(saved(photograph(), kind, **more), ".png")


def test_a_colour_profile_stays():
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for kind in ("JPEG", "PNG", "WEBP"):
        data = saved(photograph(), kind, icc_profile=profile, exif=exif())
        assert Image.open(io.BytesIO(bare(data)[0])).info["icc_profile"] == profile


@pytest.mark.parametrize("turned", [1, 6])
def test_colours_that_only_exif_describes_stay(turned):
    made = exif(turned)
    made.get_ifd(0x8769)[0xA001] = 2
    data = saved(photograph(), "JPEG", exif=made)
    kept, _ = bare(data)
    assert SECRET not in kept
    np.testing.assert_array_equal(np.asarray(open_image(kept)), np.asarray(open_image(data)))
    assert not np.array_equal(open_image(kept), open_image(saved(photograph(), "JPEG", exif=exif(turned))))


@pytest.mark.parametrize("seed", range(20))
def test_odd_files_are_written_again_or_refused(seed):
    data = bytearray(saved(photograph(), ["JPEG", "PNG", "WEBP"][seed % 3], exif=exif(6)))
    noise = np.random.default_rng(seed)
    for place in noise.integers(3, len(data), 5):
        data[place] = noise.integers(0, 256)
    try:
        made, _ = bare(bytes(data))
    except ImageError:
        return
    assert SECRET not in made


def test_what_is_no_image_is_refused():
    with pytest.raises(ImageError):
        bare(b"hello")
