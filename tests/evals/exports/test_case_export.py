"""Cases written for other tools: names are safe, our own reader gets the same cases back, what is left out is told."""

import csv
import json
import unicodedata

import pytest
from exports_kit import LABELS, known, made

from doubleread.core.case import Case
from doubleread.core.errors import DataError
from doubleread.evals.datasets import read_labelled
from doubleread.evals.exports import FORMATS, export_cases
from doubleread.evals.exports._export_parts import UniqueNames, safe_name


@pytest.fixture
def cases(tmp_path):
    return made(tmp_path / "in")


@pytest.mark.parametrize("to", FORMATS)
def test_the_manifest_beside_every_format_keeps_everything(tmp_path, cases, to):
    done = export_cases(cases, tmp_path / "out", to)
    assert (done.cases, done.left_out) == (len(cases), ())
    back = read_labelled(tmp_path / "out" / "manifest.csv")
    names = ("label", "group", "subject", "split")
    assert known(back.cases, *names) == known(cases, *names)
    assert back.problems == ()
    source = {case.id: (case.source, case.metadata["site"]) for case in cases}
    assert {case.id: (case.metadata["source"], case.metadata["site"]) for case in back.cases} == source


@pytest.mark.parametrize("to", ["coco", "label-studio", "fiftyone"])
def test_our_reader_gets_labels_splits_groups_and_subjects_back(tmp_path, cases, to):
    export_cases(cases, tmp_path / "out", to)
    back = read_labelled(tmp_path / "out")
    names = ("label", "group", "subject", "split")
    assert known(back.cases, *names) == known(cases, *names)
    assert back.problems == ()


@pytest.mark.parametrize("to", ["coco", "label-studio", "fiftyone"])
def test_without_splits_too_and_from_another_place(tmp_path, to):
    cases = made(tmp_path / "in", splits=())
    export_cases(cases, tmp_path / "out", to)
    moved = (tmp_path / "out").rename(tmp_path / "moved")
    back = read_labelled(moved)
    assert known(back.cases, "label", "split") == known(cases, "label", "split")
    assert back.problems == ()


def test_image_folders_have_safe_names_and_a_table_of_labels(tmp_path, cases):
    done = export_cases(cases, tmp_path / "out", "imagefolder")
    assert sorted(one.name for one in (tmp_path / "out").iterdir() if one.is_dir()) == ["test", "train", "val"]
    folders = {one.name for one in (tmp_path / "out" / "train").iterdir()}
    with (tmp_path / "out" / "label-names.csv").open(encoding="utf-8") as file:
        table = {row["folder"]: row["label"] for row in csv.DictReader(file)}
    assert folders == table.keys()
    assert set(table.values()) == set(LABELS)
    assert all(safe_name(name) == name for name in folders)
    assert len({unicodedata.normalize("NFC", name).casefold() for name in folders}) == len(LABELS)
    assert any("see label-names.csv" in note for note in done.notes)
    plain = [case.model_copy(update={"label": "rust"}) for case in cases[:2]]
    export_cases(plain, tmp_path / "plain", "imagefolder")
    assert not (tmp_path / "plain" / "label-names.csv").exists()


def test_cases_that_cannot_be_exported_are_listed(tmp_path, cases):
    gone, changed, memory, bare = cases[0], cases[1], Case.from_bytes(b"x", source="memory"), cases[2]
    gone.path.unlink()
    changed.path.write_bytes(b"another picture")
    odd = [gone, changed, memory.model_copy(update={"label": "rust"}), bare.model_copy(update={"label": None})]
    done = export_cases([*odd, *cases[3:6]], tmp_path / "out", "imagefolder")
    assert done.cases == 3
    told = [one.problem for one in done.left_out]
    assert [word in text for word, text in zip(("missing", "changed", "memory", "no label"), told, strict=True)] == [
        True
    ] * 4
    with (tmp_path / "out" / "left-out.csv").open(encoding="utf-8") as file:
        assert [row["problem"] for row in csv.DictReader(file)] == told


def test_a_broken_picture_has_no_size_for_coco_and_is_left_out(tmp_path, cases):
    file = tmp_path / "broken.png"
    file.write_bytes(b"no picture")
    done = export_cases([Case.from_file(file, label="rust"), *cases], tmp_path / "out", "coco")
    assert (done.cases, len(done.left_out)) == (len(cases), 1)
    assert done.left_out[0].path == str(file)


def test_nothing_is_written_over_and_nothing_half(tmp_path, cases):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    with pytest.raises(DataError, match="is not empty: name a new folder"):
        export_cases(cases, tmp_path / "out", "coco")
    with pytest.raises(DataError, match="there is no format 'yolo'; formats: imagefolder, coco"):
        export_cases(cases, tmp_path / "new", "yolo")
    with pytest.raises(DataError, match="none of 1 cases can be exported: skipped memory: it has no file"):
        export_cases([Case.from_bytes(b"x").model_copy(update={"label": "a"})], tmp_path / "new", "coco")
    assert not (tmp_path / "new").exists()
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


@pytest.mark.parametrize("to", FORMATS)
def test_names_of_an_archive_from_elsewhere_stay_inside_the_folder(tmp_path, cases, to):
    evil = {"label": "../../up", "split": "../../up", "source": "../../../up.png", "group": "../up"}
    export_cases([case.model_copy(update=evil) for case in cases[:3]], tmp_path / "a" / "b" / "out", to)
    top = {one.name for one in tmp_path.iterdir()}
    assert top == {"in", "a"}
    assert [one.name for one in (tmp_path / "a" / "b").iterdir()] == ["out"]
    assert {safe_name(part) for part in ("../../up", "up.png")} == {"_._.._up", "up.png"}


def test_links_and_splits_that_are_not_given(tmp_path, cases):
    some = [cases[0], cases[1].model_copy(update={"split": None})]
    done = export_cases(some, tmp_path / "out", "imagefolder", link=True)
    assert done.notes == ("cases without a split, which are in train as `fit` uses them: 1",)
    copies = sorted((tmp_path / "out" / "train").rglob("leaf*"))
    assert [one.stat().st_nlink for one in copies] == [2, 2]
    assert {one.stat().st_ino for one in copies} == {case.path.stat().st_ino for case in some}


def test_coco_numbers_categories_alike_in_all_splits(tmp_path, cases):
    export_cases(cases, tmp_path / "out", "coco")
    files = sorted((tmp_path / "out" / "annotations").iterdir())
    assert [one.name for one in files] == ["instances_test.json", "instances_train.json", "instances_val.json"]
    read = [json.loads(one.read_text(encoding="utf-8")) for one in files]
    assert [one["categories"] for one in read] == [read[0]["categories"]] * 3
    assert {(one["width"], one["height"]) for one in read[0]["images"]} == {(8, 8)}
    assert all(one["bbox"] == [0, 0, 8, 8] for one in read[0]["annotations"])


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", " . ", "a/b\\c", "con", "COM1.txt", "nul ", "\x00\x1f", "x" * 300, "é" * 100, ".hidden", "a."],
)
def test_names_are_safe_on_every_system(name):
    safe = safe_name(name)
    assert safe
    assert safe == safe_name(safe)
    assert len(safe.encode()) <= 101
    assert not set(safe) & set('<>:"/\\|?*\0')
    assert not safe.startswith(".")
    assert not safe.endswith((" ", "."))


def test_names_are_given_once():
    names = UniqueNames()
    given = [names.file(name, "a") for name in ("x.png", "X.PNG", "x.jpg", "x-2.png", "é.png", "e\u0301.png")]
    assert given == ["x.png", "X-2.PNG", "x-3.jpg", "x-2-2.png", "é.png", "é-2.png"]
    assert names.file("x.png", "b") == "x.png"
    assert [names.folder(name) for name in ("v1.2", "V1.2", "v1.3")] == ["v1.2", "V1.2-2", "v1.3"]
