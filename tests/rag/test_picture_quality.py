"""Which pictures are named as unusual, and which are not."""

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter
from rag_support import blotches

from doubleread.rag.images.picture_quality import FLAG_RATE, NOTHING_USUAL, UsualPictures, unusual_pictures
from doubleread.rag.images.picture_statistics import NAMES, PictureStatistics, picture_statistics


def ordinary(seed, *, dim=1.0, masked=False):
    """Colourful blotches, a little brighter or darker each."""
    rng = np.random.default_rng(seed)
    image = ImageEnhance.Brightness(blotches(seed)).enhance(dim * rng.uniform(0.8, 1.2))
    if masked:
        image.paste((0, 0, 0), (0, 0, 96, int(rng.integers(20, 60))))
    return image


def rows_of(images):
    return PictureStatistics().encode(list(images))


@pytest.fixture(scope="module")
def usual():
    return UsualPictures.fit(rows_of(ordinary(i) for i in range(120)))


SPOILT = {
    "black": lambda image: Image.new("RGB", image.size),
    "white": lambda image: Image.new("RGB", image.size, "white"),
    "empty": lambda image: Image.new("RGB", image.size, (90, 120, 60)),
    "dark": lambda image: ImageEnhance.Brightness(image).enhance(0.3),
    "over-bright": lambda image: ImageEnhance.Brightness(image).enhance(2.2),
    "flat": lambda image: ImageEnhance.Contrast(image).enhance(0.2),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(4)),
    "colourless": lambda image: image.convert("L").convert("RGB"),
    "shape": lambda image: image.resize((300, 40)),
    "small": lambda image: image.crop((0, 0, 30, 30)),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_picture_is_named(usual, name):
    assert name in usual.names(rows_of([SPOILT[name](ordinary(1000))]))[0]


def test_ordinary_pictures_are_not_named(usual):
    named = usual.names(rows_of(ordinary(i) for i in range(2000, 2300)))
    assert sum(map(bool, named)) <= 3


@pytest.mark.parametrize("how", [{"dim": 0.2}, {"masked": True}])
def test_what_is_dark_or_masked_as_a_rule_is_usual(how):
    usual = UsualPictures.fit(rows_of(ordinary(i, **how) for i in range(120)))
    named = usual.names(rows_of(ordinary(i, **how) for i in range(2000, 2100)))
    assert sum(map(bool, named)) <= 2


def test_grey_pictures_are_usual_among_grey_ones():
    grey = [ordinary(i).convert("L").convert("RGB") for i in range(140)]
    usual = UsualPictures.fit(rows_of(grey[:100]))
    assert not any(usual.names(rows_of(grey[100:])))


def test_with_few_pictures_only_what_shows_nothing_is_named():
    usual = UsualPictures.fit(rows_of(ordinary(i) for i in range(10)))
    names = usual.names(rows_of([SPOILT["dark"](ordinary(1000)), SPOILT["black"](ordinary(1000))]))
    assert names == [(), ("black",)]
    assert UsualPictures.fit(np.zeros((0, len(NAMES)))).names(rows_of([ordinary(0)])) == [()]


def test_nearly_white_scans_are_usual_among_themselves():
    scans = [Image.new("RGB", (64, 64), "white") for _ in range(30)]
    for i, scan in enumerate(scans):
        scan.putpixel((i, i), (0, 0, 0))
    assert "white" not in UsualPictures.fit(rows_of(scans)).names(rows_of(scans[:1]))[0]


def test_fences_leave_room_for_new_groups():
    """Pictures of a group share their light: learned from many groups few of new ones are named; from two, more."""
    rng = np.random.default_rng(0)
    light = rng.permutation(np.linspace(0.15, 1.0, 24))
    rows = rows_of(ordinary(i, dim=light[i // 10]) for i in range(240))
    groups = [f"g{i // 10}" for i in range(240)]
    flagged = sum(map(bool, UsualPictures.fit(rows[:120], groups[:120]).names(rows[120:])))
    assert flagged / 120 <= 3 * FLAG_RATE
    assert sum(map(bool, UsualPictures.fit(rows[:20]).names(rows[120:]))) > flagged


def test_a_verdict_is_told_in_a_sentence_each(usual):
    row = picture_statistics(SPOILT["dark"](ordinary(1000)))
    assert usual.told(row, alarm=True) == ("the image is much darker than the calibration images",)
    assert usual.told(picture_statistics(ordinary(1000)), alarm=True) == ()
    black = picture_statistics(SPOILT["black"](ordinary(0)))
    assert (
        usual.told(black, alarm=True) == NOTHING_USUAL.told(black, alarm=True) == ("the picture is practically black",)
    )


def test_a_note_counts_and_names_the_first():
    named = [("dark",), (), ("dark", "blurred"), ("dark",), ("dark",)]
    (note,) = unusual_pictures(named, ["a.png", "b.png", "c.png", "d.png", "e.png"])
    assert note.startswith("4 pictures look unlike the others")
    assert "dark: 4 (a.png, c.png, d.png, …); blurred: 1 (c.png)" in note
    assert unusual_pictures([(), ()], ["a", "b"]) == ()
