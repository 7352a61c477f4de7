"""Which prevalence the labelled cases imply, in the words of fitting's notes."""

import numpy as np

from doubleread.core.task import Label, Task
from doubleread.orchestrator.prevalence.prior_shift import implied_prevalence

TASK = Task.of("leaves", ["healthy", "rust", "black rot"])


def note(*counts, task=TASK):
    return implied_prevalence(task, np.repeat(np.arange(len(counts)), counts))


def test_shares_of_the_calibration_cases_are_told_the_largest_first():
    assert note(28, 70, 2) == (
        "the probabilities assume the label shares of the calibration images: healthy 70 %, black rot 28 %, rust 2.0 %"
    )


def test_equal_shares_are_questioned():
    for counts in ((40, 40, 40), (40, 42, 44), (3, 4, 3)):
        assert "All labels are equally frequent here" in note(*counts)
        assert 'prior = { "black rot" = …, healthy = …, … }' in note(*counts)


def test_unequal_shares_are_not():
    for counts in ((40, 50, 40), (3, 5, 3), (90, 100, 110)):
        assert "by hand" not in note(*counts)


def test_a_stated_prevalence_is_not_questioned():
    stated = Task(id="t", labels=(Label(name="a"), Label(name="b")), prior={"a": 0.9, "b": 0.1})
    assert note(50, 50, task=stated) == "the probabilities assume the label shares that the task states: a 90 %, b 10 %"
