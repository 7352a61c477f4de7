"""The two-sample test keeps its level for groups, finds shifts, and loses its level where groups are ignored."""

import numpy as np
import pytest

from doubleread.orchestrator.ood.two_sample import (
    divisions,
    drawn_groups,
    joint_codes,
    outside,
    shifts,
    shuffled,
    told_apart,
    told_apart_ungrouped,
)

DRAWS, LEVEL = 200, 0.05
MOST = 18
"""Of 200 draws at a level of 5 %, more than this happen in less than 1 of 100 trials."""


def one(n):
    """All of one label."""
    return np.zeros(n, np.int64)


def sample(rng, groups, size, shift=0.0, dim=12):
    """Rows around a centre a group, and their groups."""
    rows = np.repeat(rng.normal(size=(groups, dim)), size, axis=0) + rng.normal(size=(groups * size, dim))
    rows[:, 0] += shift
    return rows, [f"g{i // size}" for i in range(groups * size)]


def p_value(seed, *, grouped=True, shift=0.0, groups=(14, 5), size=6):
    rng = np.random.default_rng(seed)
    (a, ga), (b, gb) = sample(rng, groups[0], size), sample(rng, groups[1], size, shift)
    second = np.arange(len(a) + len(b)) >= len(a)
    codes = joint_codes(ga if grouped else None, gb if grouped else None, (len(a), len(b)))
    return told_apart(np.concatenate([a, b]), one(len(second)), shuffled(second, codes, 99, seed)).p_value


def test_the_level_holds_with_groups():
    assert sum(p_value(i) <= LEVEL for i in range(DRAWS)) <= MOST


def test_ignoring_groups_breaks_the_level():
    assert sum(p_value(i, grouped=False) <= LEVEL for i in range(DRAWS // 4)) > DRAWS // 8


def test_a_shift_is_found():
    assert np.mean([p_value(i, shift=6.0) <= LEVEL for i in range(30)]) >= 0.8


def test_cases_without_groups_are_shuffled_one_by_one():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(160, 8))
    second = np.arange(160) >= 120
    codes = joint_codes(None, None, (120, 40))
    assert len(np.unique(codes)) == 160
    assert told_apart(rows, one(160), shuffled(second, codes)).p_value > LEVEL
    assert told_apart(rows + 2 * second[:, None], one(160), shuffled(second, codes)).p_value <= 0.01


def ungrouped(seed, *, shift=0.0, groups=5):
    rng = np.random.default_rng(seed)
    (a, names), (b, _) = sample(rng, 24, 6), sample(rng, groups, 6, shift)
    codes = joint_codes(names, None, (len(a), 0))
    drawn = drawn_groups(codes, len(b), 99, seed)
    return told_apart_ungrouped(np.concatenate([a, b]), one(len(a) + len(b)), drawn, seed).p_value


def test_the_level_holds_for_a_sample_of_unknown_groups():
    assert sum(ungrouped(i) <= LEVEL for i in range(DRAWS)) <= MOST


def test_a_large_shift_of_unknown_groups_is_found():
    assert np.mean([ungrouped(i, shift=12.0) <= LEVEL for i in range(20)]) >= 0.8


def test_drawn_groups_are_whole_and_large_enough():
    codes = np.repeat(np.arange(10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    drawn = drawn_groups(codes, 12, 50)
    assert drawn.shape == (55, 50)
    assert drawn.sum(axis=0).min() >= 12
    assert all(len(set(drawn[codes == g, i])) == 1 for g in range(10) for i in range(50))


def mixed(shift):
    """60 rows that are all of label 0, beside 200 of both labels; the labels differ by far."""
    rng = np.random.default_rng(0)
    labels = np.concatenate([rng.integers(0, 2, 200), np.zeros(60, int)])
    second = np.arange(260) >= 200
    rows = rng.normal(size=(260, 6)) + 4 * labels[:, None]
    rows[second, 0] += shift
    return rows, labels, shuffled(second, np.arange(260))


def test_another_mix_of_labels_is_no_shift():
    rows, labels, shuffles = mixed(0)
    assert told_apart(rows, one(260), shuffles).p_value <= 0.01
    assert told_apart(rows, labels, shuffles).p_value > LEVEL


def test_a_shift_is_found_though_the_mix_of_labels_is_another():
    rows, labels, shuffles = mixed(2)
    apart = told_apart(rows, labels, shuffles)
    assert apart.p_value <= 0.01
    assert apart.auc > 0.8


def test_shifts_say_which_column_moved_and_how_far():
    rng = np.random.default_rng(0)
    second = np.arange(200) >= 140
    rows = rng.normal(size=(200, 3))
    rows[second, 1] += 20
    moved, p = shifts(rows, one(200), shuffled(second, np.arange(200)))
    assert moved[1] == pytest.approx(0.5, abs=0.01)
    assert p[1] <= 0.01
    assert min(p[0], p[2]) > LEVEL


def more(seed, shift=0.0):
    """p-values of one more group beside nine."""
    rng = np.random.default_rng(seed)
    (a, names), (b, other) = sample(rng, 9, 10, dim=4), sample(rng, 1, 10, dim=4)
    second = np.arange(100) >= 90
    return outside(np.concatenate([a, b + shift]), one(100), joint_codes(names, other, (90, 10)), second)


def test_one_more_group_lies_outside_as_often_as_promised():
    assert sum(more(seed).min() <= LEVEL for seed in range(DRAWS)) <= MOST
    assert more(0, shift=40)[0] <= 0.01


def test_few_groups_cannot_be_divided_in_many_ways():
    second = np.array([False] * 9 + [True])
    assert divisions(np.arange(10), second) == 10
