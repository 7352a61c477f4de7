"""Covered views of an image: what is covered, what is not, and what stands there instead."""

import numpy as np
import pytest
from PIL import Image

from doubleread.core.attribution import CELLS, window_cells
from doubleread.core.errors import UnknownPart
from doubleread.rag.images.image_views import covered, view

WIDTH, HEIGHT = 240, 160


@pytest.fixture
def image():
    pixels = np.random.default_rng(0).integers(60, 200, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_only_the_cells_named_are_covered_whatever_the_shape(image):
    cells = window_cells(3, 4)
    before, after = np.asarray(image, int), np.asarray(view(image, covered(cells)), int)
    assert after.shape == before.shape
    high, wide = HEIGHT / CELLS, WIDTH / CELLS
    near = np.zeros((HEIGHT, WIDTH), bool)
    near[int(1.4 * high) : int(4.6 * high), int(2.4 * wide) : int(5.6 * wide)] = True
    assert (after[~near] == before[~near]).all()
    middle = (slice(int(2.5 * high), int(3.5 * high)), slice(int(3.5 * wide), int(4.5 * wide)))
    assert after[middle].std() < before[middle].std() / 4


def test_what_is_covered_is_like_its_surroundings_neither_black_nor_grey(image):
    tinted = Image.fromarray((np.asarray(image) * np.array([1, 0.5, 0.25])).astype(np.uint8))
    whole = np.asarray(view(tinted, covered(np.ones((CELLS, CELLS), bool))), float)
    assert whole.mean(axis=(0, 1)) == pytest.approx(np.asarray(tinted, float).mean(axis=(0, 1)), abs=2)


def test_nothing_covered_is_the_image(image):
    assert np.array_equal(np.asarray(view(image, covered(np.zeros((CELLS, CELLS), bool)))), np.asarray(image))


@pytest.mark.parametrize(
    "name", ["covered-1-", "covered-1-zzzzzzzzzz", "covered-0-0000000000", "covered-1-00000000000", "left"]
)
def test_other_names_are_refused(image, name):
    with pytest.raises(UnknownPart):
        view(image, name)
