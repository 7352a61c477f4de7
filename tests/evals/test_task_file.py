"""A task file states what it changes, and nothing else."""

import unicodedata

import pytest

from doubleread.core.errors import DataError
from doubleread.core.task import Costs, Label, Task
from doubleread.evals.datasets.task_file import decision_changes, with_task_file

TASK = Task(
    id="leaves",
    about="leaves",
    labels=(Label(name="healthy"), Label(name="rust", description="orange"), Label(name="scab")),
    costs=Costs(referral=0.3, matrix={"rust": {"healthy": 4.0}}),
)


@pytest.fixture
def changed(tmp_path):
    """The task with what a file of this text states."""

    def apply(text, how=with_task_file):
        file = tmp_path / "task.toml"
        file.write_text(text)
        return how(TASK, file)

    return apply


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("[costs]\nreferral = 0.1", {"costs": Costs(referral=0.1, matrix=TASK.costs.matrix)}),
        ("[costs.matrix.scab]\nrust = 2.0", {"costs": Costs(referral=0.3, matrix={"scab": {"rust": 2.0}})}),
        ('about = "apple leaves"', {"about": "apple leaves"}),
        ('id = "apples"', {"id": "apples"}),
        ("[prior]\nhealthy = 0.8\nrust = 0.1\nscab = 0.1", {"prior": {"healthy": 0.8, "rust": 0.1, "scab": 0.1}}),
    ],
)
def test_what_a_file_does_not_state_stays(changed, text, changes):
    assert changed(text) == TASK.model_copy(update=changes)


def test_a_label_keeps_what_is_not_stated_of_it(changed):
    found = changed('[[labels]]\nname = "rust"\nphrases = ["rusty leaf"]')
    assert found.names == ("rust", "healthy", "scab")
    assert found.labels[0] == Label(name="rust", description="orange", phrases=("rusty leaf",))
    assert found.labels[1:] == (TASK.labels[0], TASK.labels[2])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "states nothing"),
        ('[[labels]]\nname = "rsut"', "'rsut' is not one of task 'leaves': healthy, rust, scab"),
        ('[[labels]]\nname = "rust"\n[[labels]]\nname = "rust"', "described twice"),
        ("[prior]\nrust = 1.0", "must give each of"),
        ("[costs.matrix.rsut]\nrust = 2.0", "unknown labels"),
        ("[costs]\nreferal = 0.1", "costs.referal.*about, labels, prior, costs"),
        ("costs = 3", "costs"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(changed, text, told):
    with pytest.raises(DataError, match=rf"(?s)task.toml.*{told}"):
        changed(text)


def test_a_fitted_panel_takes_other_costs_and_another_prior_only(changed):
    costs, prior = changed("[costs]\nreferral = 0.1", decision_changes)
    assert (costs.referral, prior) == (0.1, {})
    same = changed('about = "leaves"\n[[labels]]\nname = "rust"\ndescription = "orange"', decision_changes)
    assert same == (TASK.costs, {})
    with pytest.raises(DataError, match="changes about and labels, which a fitted panel has learned: fit it again"):
        changed('about = "x"\n[[labels]]\nname = "rust"\ndescription = "red"', decision_changes)


def test_labels_of_a_task_file_may_be_in_another_unicode_form(tmp_path):
    file, decomposed = tmp_path / "task.toml", unicodedata.normalize("NFD", "Fäule")
    file.write_text(
        f'[[labels]]\nname = "{decomposed}"\ndescription = "brown"\n[prior]\n"{decomposed} " = 0.1\ngesund = 0.9\n'
        f'[costs.matrix."{decomposed}"]\ngesund = 5.0\n',
        encoding="utf-8",
    )
    found = with_task_file(Task.of("leaves", ["Fäule", "gesund"]), file)
    assert found.labels[0] == Label(name="Fäule", description="brown")
    assert found.prior == {"Fäule": 0.1, "gesund": 0.9}
    assert found.costs.matrix == {"Fäule": {"gesund": 5.0}}
    old = with_task_file(Task.of("leaves", [decomposed, "gesund"]), file)  # as an older version fitted it
    assert old.names == (decomposed, "gesund")
    assert set(old.prior) == {decomposed, "gesund"}
