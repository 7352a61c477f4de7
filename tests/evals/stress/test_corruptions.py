"""Each corruption: what every one of them keeps to, and what single ones are to do."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image
from stress_kit import scene

from doubleread.core.errors import DataError, UnknownPart
from doubleread.evals.stress._pixels import grey_of, image_of, pixels_of
from doubleread.evals.stress.background_swap import mask_of
from doubleread.evals.stress.corruptions import CORRUPTIONS, FAMILIES, SEVERITIES, chosen, severities

EACH = pytest.mark.parametrize("corruption", CORRUPTIONS.values(), ids=list(CORRUPTIONS))
NOT_DRAWN = {"defocus-blur", "zoom-blur", "brightness", "contrast", "pixelate", "jpeg", "scale", "greyscale"}
"""The others have something that chance decides, for each case on its own."""


@EACH
def test_it_keeps_the_size_and_leaves_its_input_alone(corruption):
    for height, width in ((96, 128), (8, 8), (300, 20), (40, 33), (420, 500)):
        image = scene(height, width)
        pixels = pixels_of(image)
        before = pixels.copy()
        for severity in SEVERITIES[::2]:
            found = corruption.apply(pixels, "case", severity)
            if found is None:
                assert corruption.name == "background"
                assert min(height, width) < 30
                continue
            assert found.shape == (height, width, 3)
            assert np.isfinite(found).all()
            assert (image_of(found).mode, image_of(found).size) == ("RGB", (width, height))
        assert (pixels == before).all()


@EACH
def test_the_same_case_gives_the_same_picture(corruption):
    pixels = pixels_of(scene())
    first, again, other = (corruption.apply(pixels, case, 3) for case in ("a", "a", "d"))
    assert (first == again).all()
    assert (first == other).all() == (corruption.name in NOT_DRAWN)


@EACH
def test_it_grows_with_severity(corruption):
    for seed in range(3):
        pixels = pixels_of(scene(seed=seed))
        changed = [
            float(np.abs(pixels_of(image_of(corruption.apply(pixels, "case", one))) - pixels).mean())
            for one in SEVERITIES
        ]
        assert changed[0] > 0.001
        assert all(later >= 0.98 * earlier for earlier, later in pairwise(changed)), changed
        assert changed[-1] > 1.3 * changed[0]


def test_a_picture_above_the_reference_is_as_noisy_as_a_small_one():
    def noise(side):
        flat = np.full((side, side, 3), 0.5, np.float32)
        found = image_of(CORRUPTIONS["gaussian-noise"].apply(flat, "case", 2)).resize((112, 112), Image.Resampling.BOX)
        return float(np.asarray(found, float).std())

    assert noise(448) == pytest.approx(noise(224), rel=0.1)


def test_greyscale_ends_in_grey():
    found = CORRUPTIONS["greyscale"].apply(pixels_of(scene()), "case", 5)
    assert np.allclose(found, grey_of(found)[..., None], atol=1e-6)


def test_another_background_leaves_the_subject():
    pixels = pixels_of(scene())
    found = CORRUPTIONS["background"].apply(pixels, "case", 5)
    assert (found[:10].mean(axis=(0, 1)) > 0.05).all()
    assert np.allclose(found[40:56, 50:78], pixels[40:56, 50:78], atol=1e-3)


def test_a_background_is_known_where_it_is_one_colour_at_the_rim():
    image = scene()
    known = mask_of(pixels_of(image))
    assert known is not None
    assert 0.4 < known.mean() < 0.7
    on_white = Image.new("RGB", image.size, "white")
    on_white.paste(image, mask=Image.fromarray(~known))
    assert (mask_of(pixels_of(on_white)) == known).all()
    noisy = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    assert mask_of(noisy) is None
    assert mask_of(np.zeros((64, 64, 3), np.float32)) is None  # nothing but background


def test_names_and_families_choose():
    assert [one.name for one in chosen([])] == list(CORRUPTIONS)
    assert [one.name for one in chosen(["jpeg", "blur"])] == [
        "defocus-blur",
        "glass-blur",
        "motion-blur",
        "zoom-blur",
        "jpeg",
    ]
    assert {one.family for one in CORRUPTIONS.values()} == set(FAMILIES)
    with pytest.raises(UnknownPart, match=r"corruption 'fogg'; known: background, blur, .*fog, "):
        chosen(["fogg"])


def test_every_severity_has_its_strength():
    assert {len(one.strengths) for one in CORRUPTIONS.values()} == {len(SEVERITIES)}


@pytest.mark.parametrize(
    ("words", "found"), [("1,3,5", (1, 3, 5)), ("1-5", (1, 2, 3, 4, 5)), ("5, 2-3,2", (2, 3, 5)), ("4", (4,))]
)
def test_severities_are_read(words, found):
    assert severities(words) == found


@pytest.mark.parametrize("words", ["", "0", "6", "1-9", "3-1", "high", "1,,2", "-3"])
def test_severities_that_do_not_exist_are_refused(words):
    with pytest.raises(DataError, match="severit"):
        severities(words)
