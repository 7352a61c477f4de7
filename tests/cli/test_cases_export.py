"""``doubleread cases export --to``: data sets, archives and runs for other tools."""

import json

import pytest
from evals_support import picture
from verdicts_kit import AB, verdict

from doubleread.core.case import Case
from doubleread.core.verdict import Unread
from doubleread.evals.datasets import read_labelled
from doubleread.evals.exports import FORMATS


@pytest.fixture
def leaves(tmp_path):
    """A folder of two labels with three pictures each, and one file that is empty."""
    for i in range(6):
        picture(tmp_path / "leaves" / "ab"[i % 2] / f"{i}.png", i)
    (tmp_path / "leaves" / "a" / "empty.png").write_bytes(b"")
    return tmp_path / "leaves"


@pytest.fixture
def verdicts(leaves, tmp_path):
    """What ``diagnose --json`` prints of four pictures: a verdict each, one after an alarm, and one unread file."""
    lines = []
    for i, path in enumerate(sorted(leaves.rglob("[0-3].png"))):
        said = verdict("x", None, (0.9, 0.2)[i % 2], commit=i != 3)
        update = {"case": Case.from_file(path)} | ({"posterior": {}} if i == 3 else {})
        lines.append(said.model_copy(update=update).model_dump_json())
    lines.append(Unread(source="gone.png", code="missing", problem="it does not exist").model_dump_json())
    file = tmp_path / "verdicts.jsonl"
    file.write_text("\n".join(lines) + "\n")
    return file


def labels_of(folder):
    return {case.id: case.label for case in read_labelled(folder).cases}


@pytest.mark.parametrize("to", FORMATS)
def test_every_format_of_the_library_is_on_the_command_line(doubleread, leaves, tmp_path, to):
    ended = doubleread("cases", "export", leaves, tmp_path / "out", "--to", to)
    assert (ended.code, ended.out) == (0, f"6 cases exported, 1 left out\nexport: {tmp_path / 'out'}\n")
    assert ended.err.count("the file is empty") == 1
    assert labels_of(tmp_path / "out") == labels_of(leaves)
    assert "empty.png" in (tmp_path / "out" / "left-out.csv").read_text()


def test_verdicts_become_predictions(doubleread, leaves, verdicts, tmp_path):
    ended = doubleread("cases", "export", leaves, tmp_path / "out", "--to", "label-studio", "--verdicts", verdicts)
    assert ended.out.startswith("6 cases exported, 3 with a prediction, 1 left out\n")
    assert "cases without a verdict: 2" in ended.err
    assert "which are no predictions: 1" in " ".join(ended.err.split())
    tasks = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert sorted(one["predictions"][0]["score"] for one in tasks if "predictions" in one) == [0.8, 0.9, 0.9]
    assert [one["data"]["decision"] for one in tasks if "decision" in one["data"]] == ["commit"] * 3 + ["refer"]
    assert all(one["annotations"] for one in tasks)


def test_verdicts_alone_are_exported_without_labels(doubleread, verdicts, tmp_path):
    ended = doubleread("cases", "export", verdicts, tmp_path / "out", "--to", "fiftyone")
    assert ended.out.startswith("4 cases exported, 3 with a prediction, 1 left out\n")
    assert "verdicts.jsonl, line 5 (gone.png): it does not exist" in " ".join(ended.err.split())
    labels = json.loads((tmp_path / "out" / "labels.json").read_text())
    assert labels["classes"] == list(AB.names)
    assert set(labels["labels"].values()) == {None}
    refused = doubleread("cases", "export", verdicts, tmp_path / "new", "--to", "imagefolder")
    assert refused.code != 0
    assert "it has no label" in refused.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--to", "coco", "--verdicts", "v"], "has no place for predictions"),
        (["--to", "coco", "--images"], "go without --to"),
        (["--link"], "need --to"),
        ([], "is no archive; to export a data set, name the format of a tool with --to"),
        (["--to", "yolo"], "imagefolder"),
    ],
)
def test_options_that_do_not_fit_are_refused(doubleread, leaves, tmp_path, options, told):
    ended = doubleread("cases", "export", leaves, tmp_path / "out", *options)
    assert ended.code == 2
    assert told in " ".join(ended.err.split())
    assert not (tmp_path / "out").exists()
