"""The few-shot benchmark, and what it promises on the real CLIP vectors."""

import os

import numpy as np
import pytest

from benchmarks import bench_few_shot
from benchmarks.figure import Skipped
from doubleread.agents.gaussian_head import fit_head

REAL = os.environ.get("DOUBLEREAD_PAPER", "")
needs_vectors = pytest.mark.skipif(not REAL, reason="set DOUBLEREAD_PAPER to the folder with clip_vit_b32_train.npz")
DRAWS = 20


def test_without_vectors_it_is_skipped(tmp_path, monkeypatch):
    monkeypatch.setenv("DOUBLEREAD_PAPER", str(tmp_path))
    with pytest.raises(Skipped, match="there is no clip_vit_b32"):
        next(iter(bench_few_shot.few_shot()))


def test_draws_hold_as_many_of_every_label_and_come_again():
    labels = np.repeat([0, 1, 2], 10)
    one, other = (list(bench_few_shot.draws(labels, 4, 3)) for _ in range(2))
    assert [list(labels[rows]) for rows in one] == [[0] * 4 + [1] * 4 + [2] * 4] * 3
    assert np.array_equal(one, other)
    assert not np.array_equal(one[0], one[1])


def test_worth_on_worked_numbers():
    found = bench_few_shot.worth(np.log([[0.8, 0.2], [0.6, 0.4]]), np.array([0, 1]))
    assert found.accuracy == 0.5
    assert found.nll == pytest.approx(-(np.log(0.8) + np.log(0.4)) / 2)
    assert found.gap == pytest.approx(0.2)


def test_the_rival_on_worked_numbers():
    """Σ̂ = diag(1/6, 1/6), so (n - 1) Σ̂ + tr Σ̂ = 1/2 + 1/3, and the means are (±1, 0)."""
    x = np.array([[1.5, 0.0], [0.5, 0.0], [-1.0, 0.5], [-1.0, -0.5]])
    scores = bench_few_shot.wang_scores(x, np.array([0, 0, 1, 1]), np.array([[0.5, 9.0]]))
    assert scores[0, 0] - scores[0, 1] == pytest.approx(2 * 0.5 * 2 / (3 * (1 / 6) + 1 / 3))


@needs_vectors
@pytest.mark.parametrize("shots", [1, 2, 3, 4, 8])
def test_confidence_is_near_accuracy_on_real_vectors(shots):
    x, labels = bench_few_shot.clip_vectors()
    found = []
    for support in bench_few_shot.draws(labels, shots, DRAWS):
        rest = np.setdiff1d(np.arange(len(labels)), support)
        found.append(
            bench_few_shot.worth(fit_head(x[support], labels[support], 4).head.log_scores(x[rest]), labels[rest])
        )
    gaps = [one.gap for one in found]
    error = np.std(gaps, ddof=1) / DRAWS**0.5
    assert abs(np.mean(gaps)) < 0.05 + error
    assert np.mean([one.nll for one in found]) < bench_few_shot.NLL_BEFORE[shots]


@needs_vectors
@pytest.mark.parametrize("shots", bench_few_shot.COMPARED)
def test_accuracy_on_real_vectors_is_not_below_the_published_estimator(shots):
    x, labels = bench_few_shot.clip_vectors()
    ahead = []
    for support in bench_few_shot.draws(labels, shots, DRAWS):
        rest = np.setdiff1d(np.arange(len(labels)), support)
        ours = bench_few_shot.worth(fit_head(x[support], labels[support], 4).head.log_scores(x[rest]), labels[rest])
        theirs = bench_few_shot.worth(bench_few_shot.wang_scores(x[support], labels[support], x[rest]), labels[rest])
        ahead.append(ours.accuracy - theirs.accuracy)
    assert np.mean(ahead) >= 0
