"""Encoders compared on labelled images: figures, the smallest set, and what cannot be used."""

import json

import numpy as np
import pytest

from doubleread.core.errors import DataError
from doubleread.core.task import Task
from doubleread.core.types import Labels
from doubleread.evals._encoder_trial import trial_of
from doubleread.evals.encoder_comparison import _chosen, compare_encoders
from doubleread.evals.encoder_drawing import accuracy_plot
from doubleread.settings_sections import EncoderOptions


def table(rng, y: Labels, signal: float, labels: int = 3) -> np.ndarray:
    """Embeddings whose labels are told apart the better, the stronger the signal."""
    rows = rng.normal(size=(len(y), 16)) + signal * np.eye(labels, 16)[y]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def y():
    return np.arange(180) % 3


def log_readings(rng, y, skill):
    logits = rng.normal(size=(len(y), 3)) + skill * np.eye(3)[y]
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def test_a_better_encoder_has_better_figures(y):
    rng = np.random.default_rng(0)
    strong, weak = (trial_of(table(rng, y, signal), y, None, 5, 0) for signal in (6.0, 1.0))
    for trial in (strong, weak):
        assert trial.readings.shape == (180, 3)
        np.testing.assert_allclose(np.exp(trial.readings).sum(axis=1), 1)
    right = [np.mean(one.readings.argmax(axis=1) == y) for one in (strong, weak)]
    assert right[0] > 0.95 > right[1]
    assert strong.near.mean() > weak.near.mean()
    assert np.mean(strong.unknown) > max(0.8, np.mean(weak.unknown))


def test_a_group_is_never_read_with_its_own_images(y):
    """Images of a group are copies of each other and labels are random: only a leak could read them."""
    rng = np.random.default_rng(1)
    groups = [str(i // 6) for i in range(180)]
    labels = np.repeat(rng.permutation(np.arange(30) % 3), 6)
    rows = np.repeat(rng.normal(size=(30, 16)), 6, axis=0)
    trial = trial_of(rows / np.linalg.norm(rows, axis=1, keepdims=True), labels, groups, 5, 0)
    assert np.mean(trial.readings.argmax(axis=1) == labels) < 0.6
    assert trial.near.mean() < 0.6


def test_the_smallest_set_takes_what_helps_and_leaves_what_does_not(y):
    rng = np.random.default_rng(2)
    one, other = log_readings(rng, y, 2.0), log_readings(rng, y, 2.0)
    noise = log_readings(rng, y, 0.0)
    chosen, steps = _chosen({"one": one, "other": other, "copy": one.copy(), "noise": noise}, y, None)
    assert set(chosen) in ({"one", "other"}, {"copy", "other"})
    assert "not added" in steps[-1]
    alone, _ = _chosen({"one": one, "copy": one.copy()}, y, None)
    assert len(alone) == 1


def test_real_encoders_on_photographs(dataset, settings):
    encoders = {name: EncoderOptions(name=name) for name in ("colour-texture", "efficientnet-lite0")}
    encoders["missing"] = EncoderOptions(name="open-clip:ViT-B-32")
    found = compare_encoders(dataset.cases, dataset.task, encoders, settings=settings)
    assert (found.n, found.unread, len(found.encoders), len(found.pairs)) == (len(dataset.cases), 0, 2, 1)
    assert "names no weights" in found.unusable["missing"]
    assert set(found.recommended) <= {"colour-texture", "efficientnet-lite0"}
    assert found.line.startswith("Use ")
    for one in found.encoders:
        assert one.accuracy.low <= one.accuracy.value <= one.accuracy.high
        assert one.images_a_second > 0
    again = compare_encoders(dataset.cases, dataset.task, encoders, settings=settings)
    assert [one.log_loss for one in again.encoders] == [one.log_loss for one in found.encoders]
    assert "Encoders compared" in accuracy_plot(found)
    assert json.loads(found.model_dump_json())["recommended"] == list(found.recommended)


def test_without_any_usable_encoder_the_error_names_each(dataset, settings):
    with pytest.raises(DataError, match=r"no encoder can be used: x: .*names no weights"):
        compare_encoders(
            dataset.cases, dataset.task, {"x": EncoderOptions(name="open-clip:ViT-B-32")}, settings=settings
        )


def test_with_two_labels_no_label_can_be_left_out(dataset, settings):
    two = [case for case in dataset.cases if case.label != dataset.task.names[0]]
    task = Task.of("two", list(dataset.task.names[1:]))
    found = compare_encoders(two, task, {"colour-texture": EncoderOptions(name="colour-texture")}, settings=settings)
    assert found.encoders[0].unknown_auroc is None
    assert (found.n, found.recommended) == (len(two), ("colour-texture",))
