import unicodedata

import pytest
from evals_support import picture

from doubleread.cli.options import pairs
from doubleread.core.errors import DataError
from doubleread.evals.datasets import read_dataset, read_labelled


def manifest(tmp_path, rows, columns="path,label"):
    """Writes a manifest of ``(label, …)`` rows, each with a picture of its own."""
    lines = [columns]
    for i, row in enumerate(rows):
        picture(tmp_path / f"{i}.png", 100 + i)
        lines.append(",".join([f"{i}.png", *row]))
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return tmp_path / "rows.csv"


def labels(dataset):
    return [case.label for case in dataset.cases]


def test_labels_that_print_the_same_are_one_label(tmp_path):
    for i, name in enumerate(("Fäule", unicodedata.normalize("NFD", "Fäule"), "gesund")):
        for k in range(2):
            picture(tmp_path / "data" / name / f"{k}.png", 10 * i + k)
    dataset = read_dataset(tmp_path / "data")
    assert dataset.sizes() == {"Fäule": 4, "gesund": 2}
    assert sum("written in 2 ways that look the same" in note for note in dataset.notes) == 1
    assert not any("spelt differently" in warning for warning in dataset.warnings)


def test_blanks_and_invisible_characters_make_no_label(tmp_path):
    rows = [("apple scab",), (" apple\u00a0scab",), ("apple  scab\u200b",), ("rust",), ("\u200erust",)]
    assert labels(read_labelled(manifest(tmp_path, rows))) == ["apple scab"] * 3 + ["rust"] * 2


@pytest.mark.parametrize("word", ["nan", "None", "N/A", "NA", "null", "-", "?", "#N/A", "unlabeled"])
def test_a_word_for_a_missing_value_is_no_label_unless_it_is_mapped(tmp_path, word):
    file = manifest(tmp_path, [("a",), ("b",), (word,)])
    found = read_labelled(file)
    assert labels(found) == ["a", "b"]
    (problem,) = found.problems
    assert problem.where == "line 4"
    assert f"the label {word!r} is a word for a missing value" in problem.problem
    assert "--map" in problem.problem
    assert labels(read_labelled(file, label_map={word: word})) == ["a", "b", word]
    assert labels(read_labelled(file, label_map={word: "a"})) == ["a", "b", "a"]


def test_a_word_for_a_missing_value_is_no_group(tmp_path):
    rows = [("a", "nan"), ("a", "NaN"), ("b", "p1"), ("b", "p1"), ("b", "")]
    found = read_labelled(manifest(tmp_path, rows, "path,label,group"))
    assert [case.group for case in found.cases] == [None, None, "p1", "p1", None]
    assert any("1 rows have no group: 'nan' is a word for a missing value" in one for one in found.warnings)
    assert any("3 cases have no group" in one for one in found.warnings)


def test_joined_columns_and_blocks_with_a_missing_value_are_no_group(tmp_path):
    rows = [("a", "s1", "nan"), ("a", "s1", "nan"), ("b", "s1", "12"), ("b", "nan", "13"), ("b", "s1", "15")]
    found = read_labelled(manifest(tmp_path, rows, "path,label,series,capture"), group="series,capture//10")
    assert [case.group for case in found.cases] == [None, None, "s1|1", None, "s1|1"]
    assert found.problems == ()
    assert any("3 rows have no group: 'nan'" in one for one in found.warnings)


def test_a_group_has_one_unicode_form(tmp_path):
    rows = [("a", "Jürgen"), ("b", unicodedata.normalize("NFD", "Jürgen"))]
    found = read_labelled(manifest(tmp_path, rows, "path,label,group"))
    assert {case.group for case in found.cases} == {"Jürgen"}


def test_labels_are_renamed_once_and_without_a_chain(tmp_path):
    file = manifest(tmp_path, [("a",), ("b",), ("c",), ("c",)])
    found = read_labelled(file, label_map={"a": "b", "b": "c"})
    assert labels(found) == ["b", "c", "c", "c"]
    assert "label 'a' is renamed 'b': 1 rows" in found.notes
    assert labels(read_labelled(file, label_map={"a": "x", "b": "x"})) == ["x", "x", "c", "c"]


def test_labels_with_an_equals_sign_can_be_renamed(tmp_path):
    file = manifest(tmp_path, [(">=2",), ("<=1",), ("<=1",)])
    found = read_labelled(file, label_map=pairs([">=2=high", "<=1=low"], "--map"))
    assert labels(found) == ["high", "low", "low"]


def test_an_unknown_label_cannot_be_renamed(tmp_path):
    with pytest.raises(DataError, match=r"no row has the label 'Rust'.*Did you mean 'rust'\? Labels: 'rust', 'scab'"):
        read_labelled(manifest(tmp_path, [("rust",), ("scab",)]), label_map={"Rust": "x"})


def test_look_alikes_get_a_note_that_says_how_to_join_them(tmp_path):
    rows = [("Rust",), ("rust",), ("rust",), ("HER2+",), ("HER2-",), ("健康",), ("锈病",)]
    found = read_labelled(manifest(tmp_path, rows))
    (note,) = (one for one in found.warnings if "spelt differently" in one)
    assert note.startswith("labels 'Rust', 'rust' are kept apart")
    assert note.endswith("--map Rust=rust")


def test_one_picture_with_two_spellings_of_a_label_is_no_contradiction(tmp_path):
    file = manifest(tmp_path, [("Rust",), ("scab",)])
    file.write_text("path,label\n0.png,Rust\n0.png,rust\n1.png,scab\n")
    assert len(read_labelled(file).contradicting) == 2
    merged = read_labelled(file, label_map={"Rust": "rust"})
    assert labels(merged) == ["rust", "scab"]
    assert merged.copies == 1
