"""The agent that looks at patches: its memory, its maps, and that it sees what a mean over the image does not."""

import numpy as np
import pytest
from agents_support import context
from kit import TASK, case_of

from doubleread.agents.anomaly_map import FALSE_AREAS, AnomalyMap, evidence, limits_of
from doubleread.agents.patch_memory import LARGEST_LABEL, coreset, fill
from doubleread.agents.patches import PatchReader, scores_of
from doubleread.core.errors import ImageError, TaskError

SHAPE = (16, 16, 8)


def place(seed):
    """Row and column of the patch that tells an image's label."""
    row, column = np.random.default_rng(seed).integers(2, 14, 2)
    return int(row), int(column)


def image(label, seed):
    """Patches of noise; in images of the labels 1 and 2, one patch of the 256 has a trait of its own."""
    found = np.random.default_rng([label, seed]).normal(size=SHAPE).astype(np.float16)
    if label:
        found[place(seed)][label] += 12
    return found


class PatchTable:
    """Patches by case id."""

    def __init__(self, table):
        self.table = table

    async def patches(self, case, views=("whole",)):
        if case.id not in self.table:
            raise ImageError("corrupt", "the file ends too early")
        return np.stack([self.table[case.id]] * len(views))


LABELS = np.arange(90) % 3
IMAGES = [image(label, i) for i, label in enumerate(LABELS)]
CASES = [case_of(f"patches {i}") for i in range(90)]
SEEN = PatchTable({case.id: one for case, one in zip(CASES, IMAGES, strict=True)})


@pytest.fixture(scope="module")
def agent():
    return PatchReader(context(patches=SEEN)).fit_patches(IMAGES[:60], LABELS[:60])


def test_a_coreset_is_bounded_deterministic_and_covers_everything():
    rows = np.random.default_rng(0).normal(size=(500, 8)).astype(np.float32)
    rows[77] = 40
    chosen = coreset(rows, 20)
    assert np.array_equal(chosen, coreset(rows, 20))
    assert len(set(chosen)) == 20
    assert 77 in chosen
    drawn = np.random.default_rng(1).permutation(500)[:20]

    def radius(some):
        return np.linalg.norm(rows[:, None] - rows[some], axis=2).min(axis=1).max()

    assert radius(chosen) < radius(drawn)


def test_a_coreset_of_few_rows_is_all_of_them():
    assert np.array_equal(coreset(np.zeros((3, 2), np.float32), 5), [0, 1, 2])


def test_a_memory_is_bounded_and_the_same_for_the_same_cases():
    one, two = (fill(IMAGES, LABELS, np.arange(90), 3).memory for _ in range(2))
    assert np.array_equal(one.kept, two.kept)
    assert np.bincount(one.labels).tolist() == [LARGEST_LABEL] * 3
    assert one.centre.shape == SHAPE


def test_own_patches_are_at_no_distance_unless_they_are_left_out():
    filled = fill(IMAGES[:6], LABELS[:6], np.arange(6), 3)
    looks = [filled.memory.look(IMAGES[0], without) for without in (None, filled.blocks == 0)]
    assert looks[0].distances.shape == (3, 16, 16)
    assert np.median(looks[0].distances[0]) == pytest.approx(0, abs=1e-2)
    assert looks[1].distances[0].min() > 0.1
    assert np.array_equal(looks[0].distances[1:], looks[1].distances[1:])


def test_the_only_group_of_a_label_is_not_left_out():
    filled = fill(IMAGES[:3], LABELS[:3], np.zeros(3, int), 3)
    look = filled.memory.look(IMAGES[0], filled.blocks == 0)
    assert np.isfinite(scores_of(look)).all()


async def test_one_patch_of_256_is_enough(agent):
    answers = [await agent.read(case) for case in CASES[60:]]
    assert np.mean([a.label == TASK.names[k] for a, k in zip(answers, LABELS[60:], strict=True)]) > 0.9


def test_a_mean_over_the_image_does_not_show_it():
    means = np.stack([one.astype(float).mean(axis=(0, 1)) for one in IMAGES])
    agent = PatchReader(context()).fit((means / np.linalg.norm(means, axis=1, keepdims=True))[:60], LABELS[:60])
    right = agent.log_posteriors(means[60:, None, None].astype(np.float32)).argmax(axis=1) == LABELS[60:]
    assert right.mean() < 0.8


async def test_a_map_peaks_at_the_defect_and_names_its_area(agent):
    i = 60 + int(np.flatnonzero(LABELS[60:] == 1)[0])
    found = await agent.anomaly_map(CASES[i], TASK.names[1])
    row, column = np.unravel_index(found.values.argmax(), (16, 16))
    assert (row, column) == place(i)
    first = found.areas[0]
    assert (first.region.left, first.region.top) == (column / 16, row / 16)
    assert first.peak == found.values.max()


async def test_maps_of_new_images_without_the_defect_seldom_have_areas(agent):
    plain = [case for case, k in zip(CASES[60:], LABELS[60:], strict=True) if k == 0]
    maps = [await agent.anomaly_map(case, TASK.names[1]) for case in plain]
    assert np.mean([bool(one.areas) for one in maps]) <= 0.3


async def test_a_map_needs_a_known_label_and_an_image(agent):
    with pytest.raises(TaskError):
        await agent.anomaly_map(CASES[0], "mildew")
    with pytest.raises(ImageError):
        await agent.anomaly_map(case_of("unknown"), TASK.names[0])


async def test_an_image_that_cannot_be_read_is_an_abstention(agent):
    assert (await agent.read(case_of("unknown"))).cause == "image"


def test_evidence_is_the_distance_to_the_nearest_other_label():
    distances = np.array([[[1.0]], [[2.0]], [[3.0]]], np.float32)
    assert evidence(distances).ravel().tolist() == [2, 1, 1]
    assert evidence(distances[:1]).ravel().tolist() == [1]


def test_limits_come_from_images_of_other_labels_and_need_enough_of_them():
    peaks, labels = np.tile(np.arange(40.0)[:, None], 2), np.arange(40) % 2
    assert np.isfinite(limits_of(peaks, labels)).all()
    assert (peaks[labels == 1, 0] > limits_of(peaks, labels)[0]).mean() <= FALSE_AREAS
    assert np.isinf(limits_of(peaks[:10], labels[:10])).all()


def test_areas_that_touch_are_one_and_the_highest_comes_first():
    values = np.zeros((4, 8), np.float32)
    values[0, 0] = values[1, 1] = 2
    values[3, 7] = 3
    found = AnomalyMap("rust", values, 1.0)
    assert [(one.peak, one.share) for one in found.areas] == [(3.0, 1 / 32), (2.0, 2 / 32)]
    assert found.areas[1].region.right == 2 / 8
    assert found.upsampled(80, 40).shape == (40, 80)
    assert AnomalyMap("rust", values, np.inf).areas == ()
