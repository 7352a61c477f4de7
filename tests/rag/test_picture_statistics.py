"""Statistics of made pictures, whose values are known."""

import numpy as np
import pytest
from PIL import Image, ImageFilter
from rag_support import blotches, encoded, picture

from doubleread.rag.images.picture_statistics import NAMES, PictureStatistics, StatisticColumns, picture_statistics
from doubleread.rag.images.safe_images import open_image


def of(image):
    return StatisticColumns(*picture_statistics(image))


def flat(*colour, size=(64, 48)):
    return Image.new("RGB", size, colour)


def test_an_even_picture():
    found = of(flat(200, 100, 50))
    assert found.brightness == pytest.approx((0.299 * 200 + 0.587 * 100 + 0.114 * 50) / 255, abs=0.004)
    assert (found.dark, found.bright, found.contrast) == (0, 0, 0)
    assert found.colour == pytest.approx(150 / 255)
    assert (found.red_cast, found.blue_cast) == (pytest.approx(100 / 255), pytest.approx(-50 / 255))
    assert (found.aspect, found.side) == (pytest.approx(64 / 48), 64)


@pytest.mark.parametrize(("level", "dark", "bright"), [(0, 1, 0), (8, 1, 0), (9, 0, 0), (246, 0, 0), (255, 0, 1)])
def test_black_and_white_pixels_are_counted(level, dark, bright):
    found = of(flat(level, level, level))
    assert (found.dark, found.bright) == (dark, bright)


def test_a_masked_background_does_not_count():
    whole = blotches(0, 256)
    masked = whole.copy()
    masked.paste((0, 0, 0), (0, 0, 256, 128))
    ours, theirs = of(masked), of(whole.crop((0, 128, 256, 256)))
    assert ours.dark == pytest.approx(0.5, abs=0.01)
    for name in ("brightness", "contrast", "colour", "sharpness"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=0.02)


def test_blur_lowers_sharpness_and_exposure_does_not():
    image = blotches(0, 256)
    sharp = of(image).sharpness
    assert of(image.filter(ImageFilter.GaussianBlur(2))).sharpness < sharp / 4
    assert of(image.point(lambda v: v // 2)).sharpness == pytest.approx(sharp, rel=0.1)


def test_the_size_at_which_a_picture_is_opened_hardly_matters():
    large = picture(0, (400, 300)).resize((2000, 1500), Image.Resampling.BICUBIC)
    rows = [picture_statistics(open_image(encoded(large, "JPEG"), max_side=side)) for side in (512, 1024, None)]
    assert rows[1] == pytest.approx(rows[0], rel=0.1, abs=0.01)
    assert rows[2] == pytest.approx(rows[0], rel=0.1, abs=0.01)


def test_many_pictures_are_rows_and_columns():
    rows = PictureStatistics().encode([flat(0, 0, 0), flat(255, 255, 255, size=(80, 20))])
    assert rows.shape == (2, len(NAMES))
    assert StatisticColumns.of_rows(rows).aspect == pytest.approx([64 / 48, 4])
    assert PictureStatistics().encode([]).shape == (0, len(NAMES))


def test_the_smallest_and_longest_pictures_have_statistics():
    assert np.isfinite(
        PictureStatistics().encode([picture(0, (8, 8)), picture(1, (8, 400)), picture(2, (2000, 40))])
    ).all()
