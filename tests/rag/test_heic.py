"""HEIC photographs of phones."""

import sys

import heic_files
import pytest

from doubleread.core.errors import ImageError
from doubleread.rag.images.image_kinds import kind_of
from doubleread.rag.images.image_policy import ImagePolicy
from doubleread.rag.images.safe_images import open_image, open_picture, orientation_of

RED, GREEN, BLUE = (200, 60, 40), (40, 160, 60), (60, 80, 200)


def near(pixel, wanted):
    return max(abs(a - b) for a, b in zip(pixel, wanted, strict=True)) < 8


def test_a_photograph_is_read():
    pytest.importorskip("pi_heif")
    opened = open_picture(heic_files.PLAIN)
    assert (opened.record.format, opened.image.size) == ("HEIC", (96, 64))
    assert near(opened.image.getpixel((10, 10)), RED)
    assert near(opened.image.getpixel((86, 10)), GREEN)


def test_a_turned_photograph_is_turned_once():
    """The container says how to turn it, and EXIF says so again."""
    pytest.importorskip("pi_heif")
    opened = open_picture(heic_files.TURNED)
    assert (opened.image.size, opened.record.width) == ((64, 96), 64)
    assert near(opened.image.getpixel((10, 10)), RED)
    assert near(opened.image.getpixel((54, 86)), GREEN)
    assert orientation_of(heic_files.TURNED) == 1


def test_ten_bits_are_read_where_depth_is_allowed():
    pytest.importorskip("pi_heif")
    with pytest.raises(ImageError) as caught:
        open_image(heic_files.TEN_BITS)
    assert caught.value.code == "high-bit-depth"
    opened = open_picture(heic_files.TEN_BITS, policy=ImagePolicy(depth="range", limits=(0.0, 1.0)))
    assert opened.record.bits == 10
    assert near(opened.image.getpixel((10, 10)), RED)


def test_a_broken_photograph_is_refused():
    pytest.importorskip("pi_heif")
    with pytest.raises(ImageError) as caught:
        open_image(heic_files.PLAIN[:300])
    assert caught.value.code == "corrupt"


def test_without_the_extra_the_message_names_it():
    absent = {name: sys.modules.get(name) for name in ("pi_heif",)}
    sys.modules["pi_heif"] = None
    try:
        with pytest.raises(ImageError, match=r"pip install 'doubleread\[heif\]'") as caught:
            open_image(heic_files.PLAIN)
    finally:
        sys.modules.pop("pi_heif")
        sys.modules.update({name: one for name, one in absent.items() if one is not None})
    assert caught.value.code == "extra-needed"
    assert kind_of(heic_files.PLAIN) == "HEIC"
