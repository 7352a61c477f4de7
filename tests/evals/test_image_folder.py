"""The image-folder layout of Hugging Face: images beside a metadata.csv or metadata.jsonl."""

import json

import pytest
from evals_support import picture

from doubleread.core.errors import DataError
from doubleread.evals.datasets import read_dataset


@pytest.fixture
def root(tmp_path):
    """Twelve pictures in train, validation and test, without label folders."""
    for k, split in enumerate(("train", "validation", "test")):
        for i in range(4):
            picture(tmp_path / "leaves" / split / f"{i}.png", 10 * k + i)
    return tmp_path / "leaves"


def csv(rows, header="file_name,label"):
    return "\n".join([header, *rows]) + "\n"


def labels_of(dataset):
    return {case.source: (case.label, case.split) for case in dataset.cases}


def test_a_metadata_file_in_each_split_folder(root):
    for split in ("train", "validation", "test"):
        (root / split / "metadata.csv").write_text(csv([f"{i}.png,{'ab'[i % 2]}" for i in range(4)]))
    dataset = read_dataset(root)
    assert dataset.name == "leaves"
    assert dataset.problems == ()
    assert len(dataset.cases) == 12
    assert labels_of(dataset)["validation/3.png"] == ("b", "calibration")


def test_one_metadata_file_at_the_root_takes_splits_from_the_folders(root):
    rows = [
        {"file_name": f"{s}/{i}.png", "kind": "ab"[i % 2], "plant": i // 2} for s in ("train", "test") for i in range(4)
    ]
    (root / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = read_dataset(root, label_column="kind", group="plant")
    assert labels_of(dataset)["train/2.png"] == ("a", "support")
    assert {case.group for case in dataset.cases} == {"0", "1"}
    assert dataset.cases[0].metadata == {"plant": "0"}


def test_metadata_as_parquet(root):
    pa = pytest.importorskip("pyarrow", reason="pip install -e '.[parquet]'")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install -e '.[parquet]'")
    for split in ("train", "test"):
        rows = [{"file_name": f"{i}.png", "label": "ab"[i % 2], "plant": i // 2} for i in range(4)]
        parquet.write_table(pa.Table.from_pylist(rows), root / split / "metadata.parquet")
    dataset = read_dataset(root, group="plant")
    assert labels_of(dataset)["test/3.png"] == ("b", "test")
    assert {case.group for case in dataset.cases} == {"0", "1"}


def test_a_column_of_splits_is_honoured_and_a_pattern_groups(tmp_path):
    for i in range(4):
        picture(tmp_path / "photos" / f"plant{i // 2}-{i}.png", i)
    rows = [f"plant{i // 2}-{i}.png,{'ab'[i % 2]},{('train', 'test')[i // 2]}" for i in range(4)]
    (tmp_path / "metadata.csv").write_text(csv([f"photos/{row}" for row in rows], "file_name,label,split"))
    dataset = read_dataset(tmp_path, group=r"re:(plant\d)")
    assert [(case.group, case.split) for case in dataset.cases] == [("plant0", "support")] * 2 + [
        ("plant1", "test")
    ] * 2


def test_what_cannot_be_used_is_named_and_the_rest_is_read(root):
    rows = [f"{i}.png,{'ab'[i % 2]}" for i in range(4)]
    (root / "train" / "metadata.csv").write_text(csv([*rows, "gone.png,a", ",b", "1.png,"]))
    dataset = read_dataset(root)
    assert len(dataset.cases) == 4
    told = {problem.where: problem.problem for problem in dataset.problems}
    gone = root / "train" / "gone.png"
    assert told["train/metadata.csv, line 6"] == f"the file is missing: 'train/gone.png', which means {gone}"
    assert told["train/metadata.csv, line 7"] == "the path is empty"
    assert told["train/metadata.csv, line 8"] == "the label is empty"
    assert told["test/0.png"] == "no metadata file names this image"


def test_without_a_label_column_the_folders_are_the_labels(tmp_path):
    for i in range(8):
        picture(tmp_path / "train" / "ab"[i % 2] / f"{i}.png", i)
    (tmp_path / "train" / "metadata.csv").write_text(
        csv([f"{'ab'[i % 2]}/{i}.png,{i}" for i in range(8)], "file_name,age")
    )
    dataset = read_dataset(tmp_path)
    assert dataset.sizes() == {"a": 4, "b": 4}
    assert dataset.cases[5].metadata == {"age": "5"}


def test_a_label_column_that_is_not_there_is_an_error_that_names_those_that_are(root):
    (root / "train" / "metadata.csv").write_text(csv(["0.png,a"]))
    with pytest.raises(DataError, match=r"no column 'kind'; columns: file_name, label\. Name the column"):
        read_dataset(root, label_column="kind")


def test_a_table_without_file_names_is_no_metadata(folder):
    (folder / "metadata.csv").write_text("id,age\n1,2\n")
    dataset = read_dataset(folder)
    assert len(dataset.cases) == 6
    assert any("metadata.csv in this folder was not read" in note for note in dataset.warnings)
