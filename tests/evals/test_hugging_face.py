"""Data sets of Hugging Face's ``datasets``: by a stand-in with the same interface, and by the package where it is."""

import hashlib
import importlib.util
import io
import os
from dataclasses import dataclass, replace

import pytest
from PIL import Image as Picture

from doubleread.core.errors import DataError
from doubleread.evals.datasets import read_dataset
from doubleread.evals.datasets.hugging_face import KeptImages, read_hugging_face
from doubleread.evals.datasets.read_choice import ReadChoice

PACKAGE = importlib.util.find_spec("datasets") is not None


@dataclass(frozen=True)
class Image:
    decode: bool = True


@dataclass(frozen=True)
class ClassLabel:
    names: list[str]


@dataclass(frozen=True)
class Value:
    dtype: str


@dataclass(frozen=True)
class Table:
    """Rows and features as ``datasets.Dataset`` has them; images are bytes only after decoding is switched off."""

    features: dict
    rows: tuple

    def cast_column(self, column, feature):
        return replace(self, features={**self.features, column: feature})

    def __len__(self):
        return len(self.rows)

    def __iter__(self):
        assert not any(feature == Image() for feature in self.features.values())
        return iter(self.rows)


def png(colour):
    out = io.BytesIO()
    Picture.new("RGB", (8, 8), (colour, 1, 2)).save(out, "PNG")
    return out.getvalue()


FEATURES = {"image": Image(), "label": ClassLabel(["rust", "scab"]), "leaf": Value("int64"), "box": Value("list")}


def table(start=0, **changes):
    rows = tuple(
        {"image": {"bytes": png(start + i), "path": f"{i}.png"}, "label": i % 2, "leaf": i // 2, "box": [1]}
        for i in range(4)
    )
    return replace(Table(FEATURES, rows), **changes)


@pytest.fixture
def kept(tmp_path):
    return KeptImages(tmp_path / "kept")


def test_rows_become_cases_with_a_file(kept):
    dataset = read_hugging_face(table(), ReadChoice(group="leaf"), kept=kept)
    assert [case.label for case in dataset.cases] == ["rust", "scab", "rust", "scab"]
    assert [case.group for case in dataset.cases] == ["0", "0", "1", "1"]
    assert dataset.cases[3].metadata == {"leaf": "1"}
    assert dataset.cases[0].path.read_bytes() == png(0)
    assert dataset.cases[0].id == hashlib.sha256(png(0)).hexdigest()
    assert dataset.cases[0].source == "0.png"


def test_an_image_is_written_once_and_a_torn_one_again(kept):
    first = read_hugging_face(table(), kept=kept).cases[0].path
    before = first.stat().st_mtime_ns
    read_hugging_face(table(), kept=kept)
    assert first.stat().st_mtime_ns == before
    first.write_bytes(b"torn")
    assert read_hugging_face(table(), kept=kept).cases[0].path.read_bytes() == png(0)
    assert len([path for path in kept.folder.rglob("*") if path.is_file()]) == 4


def test_the_names_of_a_dict_are_splits_unless_there_is_one_only(kept):
    dataset = read_hugging_face({"train": table(), "validation": table(50), "test": table(100)}, kept=kept)
    assert {case.split for case in dataset.cases} == {"support", "calibration", "test"}
    assert dataset.cases[-1].source == "test/3.png"
    alone = read_hugging_face({"train": table()}, kept=kept)
    assert {case.split for case in alone.cases} == {None}
    assert "'train' is the only split: it is not taken as one" in alone.warnings


def test_rows_that_cannot_be_used_are_named(kept, tmp_path):
    bad = (
        {"image": None, "label": 0, "leaf": 1},
        {"image": {"bytes": png(9), "path": None}, "label": -1, "leaf": 1},
        {"image": {"bytes": None, "path": str(tmp_path / "gone.png")}, "label": 1, "leaf": 1},
    )
    dataset = read_hugging_face(table(rows=(*table().rows, *bad)), kept=kept)
    assert len(dataset.cases) == 4
    assert {p.where: p.problem for p in dataset.problems} == {
        "row 5": "this row contains no image",
        "row 6": "the label is empty",
        "row 7": "the file is missing",
    }


def test_columns_that_are_not_there_are_an_error(kept):
    with pytest.raises(DataError, match=r"no column 'kind'; columns: image, label, leaf, box"):
        read_hugging_face(table(), ReadChoice(label="kind"), kept=kept)
    with pytest.raises(DataError, match=r"2 image columns \(image, mask\)"):
        read_hugging_face(table(features={**FEATURES, "mask": Image()}), kept=kept)
    with pytest.raises(DataError, match="a list is not a data set"):
        read_dataset([1, 2])


@pytest.mark.skipif(PACKAGE, reason="the package datasets is installed")
def test_without_the_package_a_saved_data_set_names_the_extra(tmp_path):
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(DataError, match="pip install datasets"):
        read_dataset(tmp_path)


@pytest.mark.skipif(not PACKAGE, reason="needs the extra huggingface")
def test_a_data_set_of_the_package_given_and_saved(tmp_path, monkeypatch):
    import datasets

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["rust", "scab"])})
    rows = {
        k: {"image": [{"bytes": png(k + i), "path": None} for i in range(4)], "label": [0, 1, 0, 1]} for k in (0, 50)
    }
    train, test = (datasets.Dataset.from_dict(rows[k], features=features) for k in (0, 50))
    both = datasets.DatasetDict({"train": train, "test": test})
    both.save_to_disk(str(tmp_path / "saved"))
    train.save_to_disk(str(tmp_path / "alone"))
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "state.json").write_text("{")
    given, saved = read_dataset(both), read_dataset(tmp_path / "saved")
    assert saved.name == "saved"
    assert [(c.id, c.label, c.split) for c in saved.cases] == [(c.id, c.label, c.split) for c in given.cases]
    assert saved.sizes() == {"rust": 4, "scab": 4}
    assert [case.id for case in read_dataset(tmp_path / "alone").cases] == [c.id for c in given.part("support")]
    with pytest.raises(DataError, match="the package datasets cannot load"):
        read_dataset(tmp_path / "broken")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no pipes")
def test_a_pipe_in_a_saved_folder_is_refused_before_the_package_waits_for_it(tmp_path):
    pytest.importorskip("datasets")
    (tmp_path / "state.json").write_text("{}")
    os.mkfifo(tmp_path / "dataset_info.json")
    with pytest.raises(DataError, match=r"dataset_info\.json is not a regular file"):
        read_dataset(tmp_path)
