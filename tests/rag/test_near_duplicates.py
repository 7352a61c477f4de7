"""Near copies: hashes, the rule, pairs and clusters."""

import numpy as np
import pytest
from kit import photo
from PIL import Image

from doubleread.rag.near_copies.copy_finder import MILD_CHANGES
from doubleread.rag.near_copies.near_duplicates import (
    LIKE_HASH,
    SAME_HASH,
    NearRule,
    distances,
    find_near_duplicates,
    nearest_others,
    perceptual_hash,
)

RULE = NearRule(same_hash=0.9, like_hash=0.98)


def angles(*degrees):
    """Unit vectors in the plane, so that cosines can be read off."""
    turned = np.deg2rad(degrees)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


def bits(*counts):
    """Hashes with that many low bits set: two differ by the difference of their counts."""
    return np.array([(1 << n) - 1 for n in counts], np.uint64)


def test_distances_count_bits():
    assert distances(bits(0, 3), bits(64, 1)).tolist() == [64, 2]


def test_the_hash_of_a_wave_is_its_frequency():
    wave = np.cos(np.pi * (np.arange(32) + 0.5) * 3 / 32)  # the third cosine wave, along the columns
    picture = Image.fromarray(np.tile(128 + 100 * wave, (32, 1)).astype(np.uint8))
    found = perceptual_hash(picture)
    assert found >> (63 - 3) & 1
    assert found >> 63 & 1  # the mean
    assert found.bit_count() < 8


def test_a_mild_change_moves_the_hash_little_and_another_picture_much(tmp_path):
    first, second = (Image.open(photo(tmp_path / f"{i}.png", i, seed=i, side=128)).convert("RGB") for i in (0, 1))
    own = perceptual_hash(first)
    for name, change in MILD_CHANGES.items():
        moved = (own ^ perceptual_hash(change(first))).bit_count()
        assert moved <= (LIKE_HASH if name == "3 % crop" else SAME_HASH), name
    assert (own ^ perceptual_hash(second)).bit_count() > LIKE_HASH


def test_the_rule_asks_for_a_closer_embedding_where_the_hash_differs():
    similarities = np.array([0.95, 0.95, 0.99, 0.99, 0.85], np.float32)
    apart = np.array([4, 5, 12, 13, 0], np.uint8)
    assert RULE.near(similarities, apart).tolist() == [True, False, True, False, False]


def test_the_rule_is_measured_on_own_changes_and_on_others():
    rule = NearRule.measured(np.linspace(0.8, 1.0, 101), np.linspace(0.0, 0.9, 101))
    assert rule.same_hash == pytest.approx(0.802)
    assert rule.like_hash == pytest.approx(0.891)
    assert NearRule.measured(np.array([0.99]), np.zeros(0)) == NearRule(same_hash=0.95, like_hash=0.95)
    with pytest.raises(ValueError, match="at least one picture"):
        NearRule.measured(np.zeros(0), np.zeros(0))


def test_the_nearest_other_is_no_copy():
    rows, hashes = angles(0, 1, 60), bits(0, 5, 40)
    assert nearest_others(rows[:1], hashes[:1], rows, hashes) == pytest.approx([0.5], abs=1e-6)
    assert len(nearest_others(rows[:1], hashes[:1], rows[:2], hashes[:2])) == 0


def test_pairs_have_similarity_and_distance_and_hang_together():
    found = find_near_duplicates(angles(0, 10, 20, 90, 92, 92), bits(0, 2, 4, 30, 50, 31), RULE)
    pairs = {(p.first, p.second): (round(p.similarity, 4), p.distance) for p in found.pairs}
    assert pairs == {
        (0, 1): (0.9848, 2),
        (0, 2): (0.9397, 4),
        (1, 2): (0.9848, 2),
        (3, 5): (0.9994, 1),
    }
    assert found.n_pairs == 4
    assert found.clusters == ((0, 1, 2), (3, 5))


def test_a_chain_of_copies_is_one_cluster():
    found = find_near_duplicates(angles(0, 20, 40), bits(0, 0, 0), RULE)
    assert [(p.first, p.second) for p in found.pairs] == [(0, 1), (1, 2)]
    assert found.clusters == ((0, 1, 2),)


def test_across_blocks_the_same_pairs_are_found_as_by_looking_at_all():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(4500, 8)).astype(np.float32)
    rows[2500:2600] = rows[:100] + 0.01 * rng.normal(size=(100, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    hashes = rng.integers(0, 2**63, 4500).astype(np.uint64)
    hashes[2500:2600] = hashes[:100] ^ np.uint64(7)
    found = find_near_duplicates(rows, hashes, RULE)
    assert {(p.first, p.second) for p in found.pairs} >= {(i, 2500 + i) for i in range(100)}
    near = RULE.near(rows @ rows.T, distances(hashes[:, None], hashes[None]))
    assert found.n_pairs == np.triu(near, 1).sum()


def test_nothing_is_near_nothing():
    assert find_near_duplicates(np.zeros((0, 4), np.float32), np.zeros(0, np.uint64), RULE).clusters == ()
