"""The colour and texture features: known pictures, known bins."""

import numpy as np
import pytest
from PIL import Image
from rag_support import picture

from doubleread.core.errors import EncoderError
from doubleread.rag.encoders import build
from doubleread.rag.encoders.colour_texture import SIDE, ColourTexture, colours, texture

COLOURS = 192
FLAT = 8 * 5  # all eight neighbours at least as bright, the lowest contrast


def channel(rows):
    return np.array(rows, np.int16)[None]


def first_scale(rows):
    """Shares of the first scale, by pattern and contrast, shape (10, 5)."""
    return texture(channel(rows))[0, :50].reshape(10, 5)


def test_a_flat_image_is_one_pattern_without_contrast_and_one_colour():
    [row] = ColourTexture().encode([Image.new("RGB", (50, 70), (255, 0, 0))])
    assert sorted(np.flatnonzero(row)) == [15, *(COLOURS + 50 * i + FLAT for i in range(9))]  # hue 0, full and bright
    assert row[15] == pytest.approx(1 / 2)
    assert row[COLOURS + FLAT] == pytest.approx(1 / 2 / np.sqrt(3))


def test_a_bright_spot_is_pattern_nought_and_its_neighbours_see_it():
    """Alone in a plain of 100: no neighbour of the spot is as bright; the spot's 8 neighbours still have 8 such."""
    rows = np.full((16, 16), 100)
    rows[8, 8] = 140
    shares = first_scale(rows) * 14**2
    assert shares[0, 0] == pytest.approx(1)  # its neighbours are all alike: no contrast
    assert shares[8, 3] == pytest.approx(8)  # seven 100s and a 140: deviation 13.2, between 6.9 and 19.6
    assert shares[8, 0] == pytest.approx(14**2 - 9)
    assert shares.sum() == pytest.approx(14**2)


@pytest.mark.parametrize("turns", range(4))
def test_a_straight_edge_is_the_pattern_of_three_or_five(turns):
    """A step from 100 to 200: on the bright side 5 of 8 neighbours are as bright, on the dark side all 8."""
    rows = np.full((16, 16), 100)
    rows[:, 8:] = 200
    shares = first_scale(np.rot90(rows, turns)) * 14
    assert shares[5, 4] == pytest.approx(1)
    assert shares[8, 4] == pytest.approx(1)
    assert shares[8, 0] == pytest.approx(12)


def test_a_chequerboard_is_no_uniform_pattern():
    """A bright pixel has four bright neighbours, no two side by side; a dark one has none darker."""
    yy, xx = np.mgrid[:16, :16]
    shares = first_scale(100 + 50 * ((yy + xx) % 2)) * 14**2
    assert shares[9, 4] == pytest.approx(98)
    assert shares[8, 4] == pytest.approx(98)


def test_coarser_scales_read_sums_of_pixels():
    """Single rows of 0 and 8: at the first scale stripes, but every square of 2 × 2 and more is the same."""
    rows = np.zeros((16, 16))
    rows[::2] = 8
    shares = texture(channel(rows))[0].reshape(3, 10, 5)
    assert shares[0, 8, 0] == 0
    assert shares[1, 8, 0] == shares[2, 8, 0] == 1


def test_contrast_means_the_same_at_every_scale():
    """A step of 100 gives the same levels, whether it is measured in pixels or in sums of 16 of them."""
    rows = np.full((16, 16), 100)
    rows[:, 8:] = 200
    shares = texture(channel(rows))[0].reshape(3, 10, 5)
    assert all((one[5, 4] > 0) and (one[[5, 8], :4].sum() == one[8, 0]) for one in shares)


def test_a_quarter_turn_changes_no_texture_and_no_colour():
    image = picture(5, (SIDE, SIDE))
    upright, turned = ColourTexture().encode([image, image.rotate(90)])
    assert np.array_equal(upright, turned)


def test_hue_saturation_and_value_have_their_bins():
    pixels = np.array([[[0, 0, 0], [255, 255, 255], [127, 64, 191]]], np.uint8)
    assert np.flatnonzero(colours(pixels)).tolist() == [0, (5 * 4 + 1) * 4 + 2, 191]


def test_brightness_leaves_texture_as_it_is():
    """Patterns and contrast depend on differences only."""
    rows = np.random.default_rng(3).integers(0, 100, (16, 16))
    assert np.array_equal(texture(channel(rows)), texture(channel(rows + 120)))


def test_the_same_picture_gives_the_same_row():
    one, two = ColourTexture().encode([picture(1)]), ColourTexture().encode([picture(1)])
    assert np.array_equal(one, two)


def test_it_takes_no_model_name():
    with pytest.raises(EncoderError, match="it has no weights"):
        build("colour-texture:large")
