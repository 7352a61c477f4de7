"""Near copies: hashes, poses, the agreement of pixels, pairs and clusters."""

import io

import numpy as np
import pytest
from kit import photo
from PIL import Image, ImageEnhance, ImageFilter
from rag_support import units

from doubleread.core.case import Case
from doubleread.rag.images.case_images import Images
from doubleread.rag.near_copies._alignment import agreement
from doubleread.rag.near_copies.copy_finder import PictureSet, find_near_duplicates, look_at
from doubleread.rag.near_copies.near_duplicates import (
    NearPair,
    NearRule,
    distances,
    fewest_bits,
    near_duplicates,
    perceptual_hash,
    turned_hashes,
)
from doubleread.rag.near_copies.thumbnails import Thumbnails, stacked, thumbnail

TURN = Image.Transpose
RULE = NearRule()


def reencoded(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file).convert("RGB")


def cropped(left, top, right, bottom):
    return lambda image: image.crop(
        (
            round(image.width * left),
            round(image.height * top),
            round(image.width * (1 - right)),
            round(image.height * (1 - bottom)),
        )
    )


CHANGES = {
    "JPEG": reencoded,
    "resized": lambda image: image.resize((round(image.width * 0.6), round(image.height * 0.7))),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.4),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(2)),
    "flipped": lambda image: image.transpose(TURN.FLIP_LEFT_RIGHT),
    "upside down": lambda image: image.transpose(TURN.FLIP_TOP_BOTTOM),
    "90°": lambda image: image.transpose(TURN.ROTATE_90),
    "180°": lambda image: image.transpose(TURN.ROTATE_180),
    "270°": lambda image: image.transpose(TURN.ROTATE_270),
    "cropped at one corner": cropped(0.08, 0.08, 0, 0),
    "cropped all round": cropped(0.08, 0.08, 0.08, 0.08),
    "cropped and turned": lambda image: cropped(0.04, 0.04, 0.04, 0.04)(image).transpose(TURN.ROTATE_90),
}


def texture(seed, side=200):
    """A picture with detail at all scales, as photographs have; every seed another one."""
    rng = np.random.default_rng(seed)
    waves = np.fft.rfft2(rng.normal(size=(side, side)))
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    grey = np.fft.irfft2(waves / np.maximum(frequency, 1 / side) ** 1.2, (side, side))
    grey = 120 + 40 * (grey - grey.mean()) / grey.std()
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")


def featureless(seed, side=200):
    """Flat, dark, over-bright and graded pictures, with a little noise in half of them."""
    rng = np.random.default_rng([seed, 1])
    down, along = np.mgrid[:side, :side] / side
    base = [
        np.full((side, side), rng.uniform(0, 255)),
        np.full((side, side), 3.0),
        np.full((side, side), 252.0),
        255 * (down * rng.uniform() + along * rng.uniform()) / 2,
        200 - 120 * ((down - rng.uniform()) ** 2 + (along - rng.uniform()) ** 2),
    ][seed % 5]
    grey = base + rng.normal(0, seed % 2 * 2 + 1e-9, (side, side))
    return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")


def agreed(first, second):
    return agreement(stacked([thumbnail(one) for one in first]), stacked([thumbnail(one) for one in second]))


def bits(*counts):
    """Hashes with that many low bits set: two differ by the difference of their counts."""
    return np.array([(1 << n) - 1 for n in counts], np.uint64)


def found_among(folder, pictures, rule=RULE):
    """The near copies among pictures, saved to a folder."""
    cases = []
    for i, image in enumerate(pictures):
        image.save(folder / f"{i:03}.png")
        cases.append(Case.from_file(folder / f"{i:03}.png"))
    thumbnails = Thumbnails(Images())
    looks = look_at(cases, Images(), thumbnails=thumbnails)
    return find_near_duplicates(PictureSet(tuple(cases), units(len(cases), 4), looks), thumbnails, rule)


def test_distances_count_bits():
    assert distances(bits(0, 3), bits(64, 1)).tolist() == [64, 2]


def test_the_hash_of_a_wave_is_its_frequency():
    wave = np.cos(np.pi * (np.arange(32) + 0.5) * 3 / 32)  # the third cosine wave, along the columns
    picture = Image.fromarray(np.tile(128 + 100 * wave, (32, 1)).astype(np.uint8))
    found = perceptual_hash(picture)
    assert found >> (63 - 3) & 1
    assert found >> 63 & 1  # the mean
    assert found.bit_count() < 8


def test_the_hashes_of_all_turns_follow_from_one():
    image = texture(1)
    own = np.array([perceptual_hash(image)], np.uint64)
    for turn in ("flipped", "upside down", "90°", "180°", "270°"):
        other = np.array([perceptual_hash(CHANGES[turn](image))], np.uint64)
        assert fewest_bits(own, other).item() <= 8
        assert distances(own, other).item() > 12
    assert len(set(turned_hashes(own).ravel().tolist())) == 8


@pytest.mark.parametrize("name", CHANGES)
def test_copies_agree(name):
    pictures = [texture(seed) for seed in range(6)]
    found = agreed(pictures, [CHANGES[name](one) for one in pictures])
    assert (found >= RULE.agreement).sum() >= 5


def test_unlike_pictures_do_not_agree():
    pictures = [*(texture(seed) for seed in range(12)), *(featureless(seed) for seed in range(22))]
    pairs = [(i, j) for i in range(len(pictures)) for j in range(i)]
    found = agreed([pictures[i] for i, _ in pairs], [pictures[j] for _, j in pairs])
    assert [pair for pair, near in zip(pairs, found >= RULE.agreement, strict=True) if near] == []


def test_small_pictures_are_compared_in_less_detail():
    pictures = [texture(seed, side=64) for seed in range(6)]
    copies = [one.resize((56, 56)).transpose(TURN.ROTATE_90) for one in pictures]
    assert (agreed(pictures, copies) >= RULE.agreement).all()
    assert (agreed(pictures, [*copies[1:], copies[0]]) < RULE.agreement).all()


def test_copies_are_found_among_many_pictures_and_hang_together(tmp_path):
    own = texture(1)
    copies = [CHANGES[name](own) for name in ("JPEG", "90°", "cropped all round")]
    found = found_among(tmp_path, [own, *copies, *(texture(seed) for seed in range(2, 40)), featureless(1)])
    assert found.clusters == ((0, 1, 2, 3),)
    assert {(pair.first, pair.second) for pair in found.pairs} >= {(0, 1), (0, 2), (0, 3)}
    assert all(pair.agreement >= RULE.agreement for pair in found.pairs)


def test_flat_pictures_are_named_and_joined_to_nothing(tmp_path):
    found = found_among(tmp_path, [Image.new("RGB", (90, 90), (i, i, i)) for i in (0, 90, 128, 255)] + [texture(3)])
    assert found.pairs == ()
    assert found.flat == (0, 1, 2, 3)


def test_identical_files_are_a_pair_whatever_they_show(tmp_path):
    found = found_among(tmp_path, [Image.new("RGB", (90, 90), "grey"), texture(3), Image.new("RGB", (90, 90), "grey")])
    assert [(pair.first, pair.second, pair.agreement) for pair in found.pairs] == [(0, 2, 1.0)]


def test_a_chain_of_copies_is_one_cluster():
    pairs = [NearPair(first=i, second=j, similarity=1, distance=0, agreement=1) for i, j in ((1, 2), (0, 1), (4, 5))]
    found = near_duplicates(6, RULE, pairs)
    assert [(one.first, one.second) for one in found.pairs] == [(0, 1), (1, 2), (4, 5)]
    assert found.clusters == ((0, 1, 2), (4, 5))


def test_nothing_is_near_nothing(tmp_path):
    assert found_among(tmp_path, []).clusters == ()
    assert found_among(tmp_path, [texture(0)]).pairs == ()


def test_memory_holds_so_many_thumbnails_and_no_more(tmp_path):
    cases = [Case.from_file(photo(tmp_path / f"{i}.png", 0, seed=i)) for i in range(3)]
    thumbnails = Thumbnails(Images(), held=2)
    first = thumbnails.of(cases[0])
    assert thumbnails.of(cases[0]) is first
    for case in cases[1:]:
        thumbnails.of(case)
    assert thumbnails.of(cases[0]) is not first


def test_rules_of_older_panels_are_read():
    assert NearRule.model_validate({"same_hash": 0.55, "like_hash": 0.9}) == NearRule()
