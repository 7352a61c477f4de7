"""The vocabulary: what records accept, refuse and say."""

import numpy as np
import pytest
from kit import TASK
from pydantic import ValidationError

from doubleread.core.case import Case
from doubleread.core.errors import DataError, SettingsError, TaskError, UnknownPart
from doubleread.core.opinion import Opinion
from doubleread.core.registry import Registry
from doubleread.core.task import Costs, Label, Task
from doubleread.core.trust import CalibrationError


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"labels": (Label(name="a"),)}, "needs at least 2"),
        ({"labels": (Label(name="a"), Label(name="a"))}, "repeats a label"),
        ({"prior": {"a": 1.0}}, "must give each of"),
        ({"prior": {"a": 0.5, "b": 0.6}}, "sum to 1"),
        ({"prior": {"a": 1.0, "b": 0.0}}, "must be positive"),
        ({"costs": Costs(matrix={"a": {"c": 2.0}})}, r"unknown labels \['c'\]"),
    ],
)
def test_an_inconsistent_task_is_refused(fields, message):
    with pytest.raises(TaskError, match=message):
        Task.model_validate({"id": "t", "labels": (Label(name="a"), Label(name="b")), **fields})


def test_a_task_knows_its_labels_prior_and_costs():
    task = Task(id="t", labels=(Label(name="a"), Label(name="b-c")), costs=Costs(matrix={"a": {"b-c": 5.0}}))
    assert task.names == ("a", "b-c")
    assert task.labels[1].prompt_phrases == ("b c",)
    assert task.prior_vector().tolist() == [0.5, 0.5]
    assert task.cost_matrix().tolist() == [[0.0, 5.0], [1.0, 0.0]]
    with pytest.raises(TaskError, match="label 'x' is not one of task 't': a, b-c"):
        task.index("x")


def test_a_bare_confidence_leaves_the_rest_evenly():
    bare = Opinion(agent="a", label="rust", confidence=0.7, confidence_source="verbalized")
    assert bare.vector(TASK) == pytest.approx([0.15, 0.7, 0.15])


def test_an_opinion_must_be_a_distribution():
    with pytest.raises(ValidationError, match="sum to 1"):
        Opinion(agent="a", label="x", confidence=0.5, probabilities={"x": 0.5, "y": 0.6}, confidence_source="softmax")


def test_records_refuse_unknown_fields_and_changes():
    said = Opinion.from_vector("a", TASK, np.array([0.2, 0.5, 0.3]), "softmax")
    with pytest.raises(ValidationError, match="extra"):
        Opinion.model_validate({**said.model_dump(), "vibe": 1})
    with pytest.raises(ValidationError, match="frozen"):
        said.label = "scab"
    assert Opinion.model_validate_json(said.model_dump_json()) == said


def test_a_case_is_known_by_its_bytes(tmp_path):
    one, two = tmp_path / "one.png", tmp_path / "two.jpg"
    one.write_bytes(b"same")
    two.write_bytes(b"same")
    assert Case.from_file(one).id == Case.from_file(two).id == Case.from_bytes(b"same").id
    with pytest.raises(DataError, match=r"cannot read .*none\.png"):
        Case.from_file(tmp_path / "none.png")


def test_errors_name_the_valid_choices():
    assert str(UnknownPart("agent", "x", ["b", "a"])) == "unknown agent 'x'; known: a, b"
    assert str(SettingsError(["one", "two"])) == "settings cannot be used:\n  - one\n  - two"


def test_a_registry_loads_only_what_is_chosen():
    registry = Registry("thing", "doubleread.no-such-group", {"good": "json:dumps", "broken": "no_such_module:x"})
    assert registry.get("good")([1]) == "[1]"
    registry.check(["good", "broken"])
    with pytest.raises(UnknownPart, match="known: broken, good"):
        registry.get("bad")


def test_older_files_call_the_chance_level_a_floor():
    now = CalibrationError(value=0.1, low=0.0, high=0.2, bins=15, chance=0.03, chance_high=0.05)
    older = now.model_dump_json().replace('"chance', '"floor')
    assert '"floor_high":0.05' in older
    assert CalibrationError.model_validate_json(older) == now
    assert '"chance_high":0.05' in now.model_dump_json()


def test_a_task_finds_a_label_in_another_unicode_form_and_guesses_at_a_wrong_one():
    task = Task.of("leaves", ["Fäule", "rust"])
    assert task.named("Fa\u0308ule ") == "Fäule"
    assert task.index("rust\u200b") == 1
    with pytest.raises(TaskError, match=r"label 'Rust' is not one of .*: Fäule, rust\. Did you mean 'rust'\?"):
        task.index("Rust")
