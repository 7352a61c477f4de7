import shutil

import pytest
from evals_support import picture

from doubleread.core.errors import DataError
from doubleread.evals.datasets import read_dataset, read_labelled
from doubleread.evals.datasets.solar import MODULE_STARTS

FOUR = [("a.png", "x"), ("b.png", "x"), ("c.png", "y"), ("d.png", "y")]


def where(dataset):
    return {problem.where: problem.problem for problem in dataset.problems}


# folders


def test_a_folder_gives_its_labels_and_sorted_cases(folder):
    dataset = read_dataset(folder)
    assert dataset.name == "data"
    assert dataset.task.names == ("healthy", "rust")
    assert [case.source for case in dataset.cases] == sorted(case.source for case in dataset.cases)
    assert dataset.sizes() == {"healthy": 3, "rust": 3}
    assert len({case.id for case in dataset.cases}) == 6
    assert dataset.problems == ()
    assert any("no groups given" in line for line in dataset.warnings)


def test_a_folder_is_grouped_by_what_the_pattern_captures(folder):
    dataset = read_dataset(folder, group=r"re:(plant\d)")
    assert {case.group for case in dataset.cases} == {"plant0", "plant1", "plant2"}


def test_two_captures_are_joined_and_a_path_without_a_match_has_no_group(folder):
    picture(folder / "rust" / "stray.png", 50)
    dataset = read_dataset(folder, group=r"re:^(\w+)/(plant\d)")
    assert {case.group for case in dataset.cases} >= {"rust|plant0", None}
    assert any("1 cases have no group" in note for note in dataset.warnings)


def test_top_folders_named_for_splits_are_splits(folder, tmp_path):
    for i, name in enumerate(("train", "val", "test")):
        for label in ("rust", "healthy"):
            for k in range(2):
                picture(tmp_path / "ready" / name / label / f"{k}.png", 1000 + 100 * i + 10 * k + (label == "rust"))
    dataset = read_dataset(tmp_path / "ready")
    assert dataset.task.names == ("healthy", "rust")
    assert {case.split for case in dataset.cases} == {"support", "calibration", "test"}
    assert len(dataset.part("test")) == 4


def test_what_is_no_picture_is_passed_over_and_what_looks_like_one_is_reported(folder):
    for name in ("README.md", "rust/.DS_Store", "rust/Thumbs.db", "rust/._plant0-a.png", ".cache/x.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    (folder / "rust" / "phone.HEIC").write_bytes(b"x")
    (folder / "rust" / "empty.png").write_bytes(b"")
    (folder / "rust" / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "rust" / "folder.png").mkdir()
    picture(folder / "loose.png", 60)
    dataset = read_dataset(folder)
    assert len(dataset.cases) == 6
    assert where(dataset) == {
        "loose.png": "images beside the label folders",
        "rust/phone.HEIC": "the file is not an image: it begins with b'x'",
        "rust/empty.png": "the file is empty",
        "rust/gone.png": "the file is missing: it is a link to a file that does not exist",
    }
    assert dataset.left_out == {
        "images beside the label folders": 1,
        "files that are not images": 1,
        "empty files": 1,
        "links to missing files": 1,
        "files in hidden folders": 1,
        "other files (.md)": 1,
        "macOS folder settings (.DS_Store)": 1,
        "macOS file data (._*)": 1,
        "Windows thumbnails (Thumbs.db)": 1,
    }


def test_linked_folders_are_followed_but_not_in_circles(folder, tmp_path):
    (folder / "scab").symlink_to((folder / "rust").rename(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere" / "back").symlink_to(folder)
    assert read_dataset(folder).sizes() == {"healthy": 3, "scab": 3}


def test_a_manifest_in_the_folder_is_mentioned(folder):
    (folder / "manifest.csv").write_text("path,label\n")
    assert any("manifest.csv in this folder was not read" in note for note in read_dataset(folder).warnings)


def test_copies_are_kept_once_and_contradictions_dropped(folder):
    shutil.copy(folder / "rust" / "plant0-a.png", folder / "rust" / "copy.png")
    picture(folder / "rust" / "both.png", 77)
    picture(folder / "healthy" / "both.png", 77)
    dataset = read_dataset(folder)
    assert dataset.sizes() == {"healthy": 3, "rust": 3}
    assert set(where(dataset)) == {"rust/both.png", "healthy/both.png"}
    assert {(case.source, case.label) for case in dataset.contradicting} == {
        ("rust/both.png", "rust"), ("healthy/both.png", "healthy"),
    }  # fmt: skip
    assert "labels healthy (healthy/both.png), rust (rust/both.png)" in dataset.problems[0].problem
    assert dataset.copies == dataset.left_out["identical copies"] == 1


def test_labels_that_look_alike_are_mentioned(folder):
    for i in range(2):
        picture(folder / "Rust" / f"{i}.png", 200 + i)
    assert any("'Rust', 'rust'" in note for note in read_dataset(folder).warnings)


def test_progress_is_told(folder):
    seen = []
    read_dataset(folder, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (6, 6)


@pytest.mark.parametrize(
    ("group", "message"),
    [("plant", "a folder has no columns"), ("re:plant", "round brackets"), ("re:(plant", "not a regular expression")],
)
def test_a_bad_group_for_a_folder(folder, group, message):
    with pytest.raises(DataError, match=message):
        read_dataset(folder, group=group)


def test_a_folder_without_images(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match="no images in"):
        read_dataset(tmp_path)


def test_a_folder_without_label_folders(tmp_path):
    for i in range(3):
        picture(tmp_path / f"{i}.png", i)
    with pytest.raises(DataError, match="3 images but no sub-folder per label"):
        read_dataset(tmp_path)


def test_one_label_only(folder):
    shutil.rmtree(folder / "healthy")
    with pytest.raises(DataError, match="every case has the label 'rust'"):
        read_dataset(folder)


def test_a_label_with_one_case(folder):
    picture(folder / "scab" / "one.png", 70)
    with pytest.raises(DataError, match="too few cases of scab"):
        read_dataset(folder)


def test_cases_of_one_label_or_single_cases_are_read_for_an_archive(folder):
    for file in sorted((folder / "rust").iterdir())[1:]:
        file.unlink()
    assert sorted(case.label for case in read_labelled(folder).cases) == ["healthy"] * 3 + ["rust"]
    shutil.rmtree(folder / "rust")
    assert [case.label for case in read_labelled(folder).cases] == ["healthy"] * 3


@pytest.mark.parametrize("source", ["nowhere", "solar-cell"])
def test_a_source_that_is_not_there(source):
    with pytest.raises(DataError, match=r"there is no .*solar-cells"):
        read_dataset(source)


def test_an_empty_name_is_not_the_current_folder():
    with pytest.raises(DataError, match="no data set was given"):
        read_dataset("")


def test_a_file_that_is_no_manifest(tmp_path):
    with pytest.raises(DataError, match="is not a data set"):
        read_dataset(picture(tmp_path / "one.png", 1))


# manifests


def test_a_manifest_gives_cases_in_its_order_with_split_and_metadata(manifest):
    rows = [
        ("b.png", "y", "train", "p1", "dark"),
        ("a.png", "x", "val", "p2", ""),
        ("c.png", "y", "test", "p3", "light"),
        ("d.png", "x", "test", "p4", "light"),
    ]
    dataset = read_dataset(manifest(("path", "label", "split", "plant", "light"), rows), group="plant", task_id="Leaf")
    assert (dataset.name, dataset.task.id) == ("cells", "leaf")
    assert [case.source for case in dataset.cases] == ["b.png", "a.png", "c.png", "d.png"]
    assert [case.split for case in dataset.cases] == ["support", "calibration", "test", "test"]
    assert dataset.cases[0].metadata == {"plant": "p1", "light": "dark"}
    assert dataset.cases[1].metadata == {"plant": "p2"}
    assert "group key: plant" in dataset.notes


def test_columns_are_joined_and_numbers_cut_into_blocks(manifest):
    rows = [("a.png", "x", "s", 9), ("b.png", "x", "s", 10), ("c.png", "y", "s", "19.0"), ("d.png", "y", "t", 20)]
    dataset = read_dataset(manifest(("path", "label", "series", "capture"), rows), group="series, capture//10")
    assert [case.group for case in dataset.cases] == ["s|0", "s|1", "s|1", "t|2"]


def test_a_group_column_is_used_by_itself_and_an_empty_one_is_no_group(manifest):
    rows = [(name, label, "" if name == "a.png" else "g") for name, label in FOUR]
    dataset = read_dataset(manifest(("path", "label", "group"), rows))
    assert [case.group for case in dataset.cases] == [None, "g", "g", "g"]


def test_other_column_names_semicolons_and_a_byte_order_mark(manifest):
    file = manifest(("file", "diagnosis"), FOUR)
    file.write_text("\ufeff" + file.read_text().replace(",", ";"), encoding="utf-8")
    dataset = read_dataset(file, path_column="file", label_column="diagnosis")
    assert dataset.sizes() == {"x": 2, "y": 2}


def test_jsonl(jsonl):
    dataset = read_dataset(
        jsonl([{"path": n, "label": lab, "capture": i} for i, (n, lab) in enumerate(FOUR)]), group="capture//2"
    )
    assert [case.group for case in dataset.cases] == ["0", "0", "1", "1"]
    assert dataset.cases[3].metadata == {"capture": "3"}


def test_bad_rows_are_reported_with_their_line_and_the_rest_is_read(manifest):
    file = manifest(("path", "label", "capture"), [(*row, i) for i, row in enumerate(FOUR)])
    with file.open("a") as out:
        out.write('gone.png,x,1\na.png,,1\n,x,1\na.png,x,many\na.png,x,1,2\n"e\n.png",x,1\n..,x,1\n')
    dataset = read_dataset(file, group="capture//2")
    assert len(dataset.cases) == 4
    assert where(dataset) == {
        "line 6": f"the file is missing: 'gone.png', which means {file.parent / 'gone.png'}",
        "line 7": "the label is empty",
        "line 8": "the path is empty",
        "line 9": "column 'capture' contains 'many', which is not a number, so it has no block",
        "line 10": "more values than columns; put values that contain a comma in quotes",
        "line 12": f"the file is missing: 'e\\n.png', which means {file.parent}/e\n.png",
        "line 13": "the path cannot be used: not a regular file",
    }


def test_copies_in_two_splits_stay_for_the_leakage_check(manifest, tmp_path):
    file = manifest(("path", "label", "split"), [(*row, "train") for row in FOUR])
    shutil.copy(tmp_path / "cells" / "a.png", tmp_path / "cells" / "again.png")
    with file.open("a") as out:
        out.write("again.png,x,test\n")
    dataset = read_dataset(file)
    assert len(dataset.cases) == 5
    assert any("more than one split" in note for note in dataset.warnings)


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("plant", "no column 'plant' for groups; columns: path, label"),
        ("label//ten", "whole number above 0"),
        ("label//0", "whole number above 0"),
        ("label,", "column ''"),
    ],
)
def test_a_bad_group_for_a_manifest(manifest, group, message):
    with pytest.raises(DataError, match=message):
        read_dataset(manifest(("path", "label"), FOUR), group=group)


def test_missing_columns_are_named_with_those_present(manifest):
    with pytest.raises(DataError, match=r"no column 'path'; columns: where, what. .* --path-column"):
        read_dataset(manifest(("where", "what"), FOUR))
    with pytest.raises(DataError, match=r"no column 'label'; columns: path, what. .* --label-column"):
        read_dataset(manifest(("path", "what"), FOUR))


def test_a_column_that_is_there_twice(manifest):
    with pytest.raises(DataError, match="two columns called 'label'"):
        read_dataset(manifest(("path", "label", "label"), [(*row, "x") for row in FOUR]))


def test_an_unknown_split(manifest):
    with pytest.raises(DataError, match=r"unknown split 'other' \(line 2 of the manifest\); known splits: .*support"):
        read_dataset(manifest(("path", "label", "split"), [(*row, "other") for row in FOUR]))


@pytest.mark.parametrize("text", ["", "\n", "path,label\n"])
def test_an_empty_manifest(tmp_path, text):
    (tmp_path / "m.csv").write_text(text)
    with pytest.raises(DataError, match="has no rows"):
        read_dataset(tmp_path / "m.csv")


def test_all_rows_bad(manifest):
    with pytest.raises(
        DataError, match=r"all 4 paths are missing; the first is 'a.png', which means /.*/a.png; .* right folder"
    ):
        read_dataset(manifest(("path", "label"), FOUR, pictures=False))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("m.csv", b"path,label\na.png,x\nb.png,\xbd\xa1\xbf\xb5\n", "line 3: not UTF-8"),
        ("m.csv", b'path,label\na.png,x\n"b.png,x\n', "line 3: not CSV"),
        ("m.csv", b"path,label\na.png,x\0\n", "line 2: binary data"),
        ("m.jsonl", b'{"path": "a.png", "label": "x"}\n{"path": \n', "line 2 is not JSON"),
        ("m.jsonl", b'\n["a.png", "x"]\n', "line 2: each line must be a JSON object, not list"),
    ],
)
def test_a_manifest_that_cannot_be_read(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_dataset(tmp_path / name)


# solar cells


@pytest.fixture(scope="module")
def solar():
    return read_dataset("solar-cells")


def test_the_solar_cells_are_all_there_graded_and_grouped_by_module(solar):
    assert solar.task.names == ("functional", "defective")
    assert solar.sizes() == {"functional": 1803, "defective": 821}
    assert solar.problems == ()
    for case in solar.cases:
        assert (case.label == "defective") == (float(case.metadata["defect_probability"]) >= 0.5)
    assert {case.metadata["type"] for case in solar.cases} == {"mono", "poly"}
    assert {case.metadata["defect_probability"] for case in solar.cases} == {"0", "0.3333", "0.6667", "1"}
    assert any("CC BY-NC-SA 4.0" in note for note in solar.notes)


def test_a_solar_module_is_of_one_type_and_stands_together(solar):
    groups = [case.group for case in solar.cases]
    assert len(set(groups)) == len(MODULE_STARTS) == 42
    assert groups == sorted(groups)
    types = {(case.group, case.metadata["type"]) for case in solar.cases}
    assert len(types) == 42


def test_the_solar_cells_take_no_group_but_a_task_id():
    with pytest.raises(DataError, match="brings its own groups"):
        read_dataset("solar-cells", group="type")
