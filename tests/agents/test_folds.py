"""Folds of an agent's own cross-validation."""

import numpy as np

from doubleread.agents._folds import as_blocks, blocks_per_label, label_folds


def folds_of(labels, groups, wanted=5):
    blocks = as_blocks(groups, len(labels))
    return list(label_folds(np.array(labels), blocks, folds=wanted)), blocks


def test_whole_groups_are_held_out_and_every_case_once():
    labels, groups = [0, 0, 1, 1] * 6, [f"plant {i // 4}" for i in range(24)]
    found, blocks = folds_of(labels, groups, 3)
    assert len(found) == 3
    for training, held_out in found:
        assert not set(blocks[training]) & set(blocks[held_out])
    assert sorted(np.concatenate([fold.held_out for fold in found])) == list(range(24))


def test_without_groups_every_case_is_one():
    assert list(as_blocks(None, 3)) == [0, 1, 2]
    assert list(blocks_per_label(np.array([0, 0, 1]), as_blocks(["a", "a", "b"], 3), 2)) == [1, 1]


def test_there_are_as_many_folds_as_the_scarcest_label_allows():
    found, _ = folds_of([0] * 9 + [1] * 2, None)
    assert len(found) == 2


def test_the_only_group_of_a_label_stays_in_training():
    labels, groups = [0, 0, 1, 1, 1, 1], ["a", "a", "b", "c", "d", "d"]
    found, _ = folds_of(labels, groups)
    assert found
    for training, held_out in found:
        assert {0, 1} <= set(training)
        assert not {0, 1} & set(held_out)


def test_a_single_group_a_label_gives_no_fold():
    assert folds_of([0, 0, 1, 1], ["a", "a", "b", "b"])[0] == []
    assert folds_of([0, 0, 1, 1], ["a", "a", "a", "a"])[0] == []
    assert folds_of([0, 1, 2], None)[0] == []
