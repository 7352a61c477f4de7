import numpy as np
import pytest
from PIL import Image

from benchmarks.ood_scoring import OURS, auroc
from benchmarks.ood_trial import leave_each_out


@pytest.fixture(scope="module")
def trial(dataset, settings):
    """Of each colour four pictures to fit on, four to learn trust from, two to judge; and grey ones from elsewhere."""

    def dealt(case):
        number = int(case.source[-6:-4])
        return "support" if number < 4 else "calibration" if number < 8 else "test"

    cases = tuple(case.model_copy(update={"split": dealt(case)}) for case in dataset.cases)
    grey = [Image.new("RGB", (64, 64), (shade, shade, shade)) for shade in (60, 120, 180)]
    once = settings.model_copy(update={"second_look": settings.second_look.model_copy(update={"max_rounds": 1})})
    return leave_each_out(dataset.model_copy(update={"cases": cases}), {"grey": grey}, once)


def test_every_label_is_left_out_once(trial, dataset):
    assert trial.left_out == dataset.task.names
    assert [int(one.unfamiliar.sum()) for one in trial.near] == [2, 2, 2]
    assert np.sum([one.unfamiliar for one in trial.near], axis=0).tolist() == [1] * 6
    assert all((one.familiar == ~one.unfamiliar).all() for one in trial.near)
    assert len(trial.groups) == 6


def test_images_from_elsewhere_stand_beside_the_familiar_ones_only(trial):
    for one in trial.far["grey"]:
        assert one.familiar.sum() == 4
        assert one.unfamiliar.tolist() == [False] * 6 + [True] * 3
        assert {len(scores) for scores in one.scores.values()} == {9}
    assert trial.far_groups["grey"] == (*trial.groups, "elsewhere-0", "elsewhere-1", "elsewhere-2")


def test_the_panels_own_score_stands_beside_the_baselines(trial):
    everyone = np.arange(9)
    for one in trial.far["grey"]:
        assert {OURS, "cooked.entropy", "posterior.msp", "logistic.msp", "nearest-case"} <= set(one.scores)
        assert one.of(auroc, "nearest-case", everyone) == 1
        assert one.alarm.tolist() == one.unfamiliar.tolist()  # too few cases for a threshold; grey pictures show it
