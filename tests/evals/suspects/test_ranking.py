"""Flipped labels are ranked first, counted, and left out of what judges the others."""

import os
from pathlib import Path

import numpy as np
import pytest
from kit import clusters

from benchmarks.bench_labels import flipped
from doubleread.core.errors import DataError
from doubleread.evals.suspects.ranking import discriminant, doubted, neighbours, rank


def precision_at_n(ranking, wrong):
    return wrong[ranking.order[: wrong.sum()]].mean()


@pytest.fixture(scope="module")
def found():
    x, y = clusters(300, spread=0.35)
    given, wrong = flipped(y, 0.1, seed=1)
    return rank(x, given, None), given, wrong, y


def test_flipped_labels_come_first(found):
    ranking, _, wrong, y = found
    assert precision_at_n(ranking, wrong) >= 0.9
    assert (ranking.suggested[wrong] == y[wrong]).mean() >= 0.9


def test_their_number_lies_in_the_interval(found):
    ranking, _, wrong, _ = found
    assert ranking.wrong.low <= wrong.sum() <= ranking.wrong.high
    assert ranking.wrong.value == pytest.approx(wrong.sum(), abs=12)


def test_right_labels_give_no_suspects_but_an_honest_interval():
    x, y = clusters(120, spread=0.1)
    ranking = rank(x, y, None)
    assert ranking.wrong.value == ranking.wrong.low == 0
    assert 0 < ranking.wrong.high < 12


def test_a_wrong_label_of_a_whole_group_is_found():
    """Copies of one picture under one wrong label would vouch for each other if their group were torn apart."""
    x, y = clusters(300, spread=0.35)
    groups = [f"g{i // 3}" for i in range(300)]
    same = np.repeat(x[::3], 3, axis=0)
    y = np.repeat(y[::3], 3)
    given = y.copy()
    given[:9] = (y[:9] + 1) % 3
    kept_whole, torn = rank(same, given, groups), rank(same, given, None)
    assert set(kept_whole.order[:9]) == set(range(9))
    assert kept_whole.probability[:9].max() < torn.probability[:9].min()


def test_doubt_follows_the_confident_joint_by_hand():
    posterior = np.array([[0.9, 0.1], [0.7, 0.3], [0.15, 0.85], [0.2, 0.8], [0.45, 0.55], [0.9, 0.1]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    # thresholds: label 0 (.9 + .7 + .15) / 3 = .583, label 1 (.8 + .55 + .1) / 3 = .483
    assert doubted(posterior, labels).tolist() == [False, False, True, False, False, True]


@pytest.mark.parametrize("head", [discriminant, neighbours])
def test_heads_give_log_probabilities(head):
    x, y = clusters(90, spread=0.2)
    logs = head(x[:60].astype(float), y[:60], x[60:].astype(float), 3)
    assert np.exp(logs).sum(axis=1) == pytest.approx(np.ones(30))
    assert (logs.argmax(axis=1) == y[60:]).mean() > 0.9


def test_a_label_of_one_group_cannot_be_judged():
    x, y = clusters(30)
    with pytest.raises(DataError, match="at least 2 groups"):
        rank(x, y, ["one" if label == 2 else str(i) for i, label in enumerate(y)])


def test_real_clip_vectors():
    folder = os.environ.get("DOUBLEREAD_PAPER", "")
    file = Path(folder) / "clip_vit_b32_train.npz"
    if not folder or not file.is_file():
        pytest.skip("set DOUBLEREAD_PAPER to the folder that holds clip_vit_b32_train.npz")
    with np.load(file) as data:
        x, y = data["embeddings"], np.unique(data["labels"], return_inverse=True)[1]
    given, wrong = flipped(y, 0.05, seed=7)
    assert precision_at_n(rank(x, given, None), wrong) >= 0.85
