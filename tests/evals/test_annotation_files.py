"""COCO, Label Studio and FiftyOne annotations: one label an image, and everything else is told."""

import json

import pytest
from evals_support import picture

from doubleread.core.errors import DataError
from doubleread.evals.datasets import read_labelled

CATEGORIES = [{"id": 7, "name": "rust"}, {"id": 3, "name": "scab"}]


def coco(images, annotations, categories=CATEGORIES):
    """COCO of ``{id: file name}`` and pairs of an image's and a category's id."""
    marked = [{"id": n, "image_id": image, "category_id": c} for n, (image, c) in enumerate(annotations)]
    named = [{"id": key, "file_name": name, "width": 8, "height": 8} for key, name in images.items()]
    return {"images": named, "annotations": marked, "categories": categories}


def put(file, content):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


def labels_of(found):
    return {case.source: (case.label, case.split) for case in found.cases}


def problems_of(found):
    return {one.where: one.problem for one in found.problems}


@pytest.fixture
def six(tmp_path):
    """Six pictures named 0.png to 5.png in ``images``."""
    for i in range(6):
        picture(tmp_path / "images" / f"{i}.png", i)
    return tmp_path


# -- COCO ---------------------------------------------------------------------------------------------------------


def test_coco_splits_and_categories_by_name(tmp_path):
    for k, split in enumerate(("train", "valid")):
        picture(tmp_path / split / "a.png", 2 * k)
        picture(tmp_path / split / "b.png", 2 * k + 1)
    put(tmp_path / "train" / "_annotations.coco.json", coco({0: "a.png", 1: "b.png"}, [(0, 7), (1, 3)]))
    other = [{"id": 0, "name": "leaves", "supercategory": "none"}]
    other += [{"id": n, "name": name, "supercategory": "leaves"} for n, name in ((1, "scab"), (2, "rust"))]
    put(tmp_path / "valid" / "_annotations.coco.json", coco({0: "a.png", 1: "b.png"}, [(0, 1), (1, 2)], other))
    found = read_labelled(tmp_path)
    assert labels_of(found) == {
        "train/a.png": ("rust", "support"),
        "train/b.png": ("scab", "support"),
        "valid/a.png": ("scab", "calibration"),
        "valid/b.png": ("rust", "calibration"),
    }
    assert found.problems == ()
    assert "valid/_annotations.coco.json: the super-category leaves is not a label" in found.notes


def test_coco_as_the_data_set_of_that_name_lays_it_out(tmp_path):
    for k, split in enumerate(("train2017", "val2017")):
        for i in range(2):
            picture(tmp_path / split / f"{i}.png", 2 * k + i)
        content = coco({1: "0.png", 2: "1.png"}, [(1, 7), (2, 3), (2, 3)])
        put(tmp_path / "annotations" / f"instances_{split}.json", content)
    found = read_labelled(tmp_path)
    assert labels_of(found)["val2017/1.png"] == ("scab", "calibration")
    assert len(found.cases) == 4
    alone = read_labelled(tmp_path / "annotations" / "instances_val2017.json")
    assert labels_of(alone) == {"val2017/0.png": ("rust", None), "val2017/1.png": ("scab", None)}


def test_what_coco_leaves_open_is_told(six):
    images = {i: f"images/{i}.png" for i in range(4)} | {9: "images/gone.png"}
    content = coco(images, [(0, 7), (1, 3), (2, 7), (2, 3), (9, 7), (77, 7), (0, 99)])
    content["annotations"][0]["bbox"] = [2, 2, 3, 3]
    put(six / "annotations.json", content)
    found = read_labelled(six)
    assert labels_of(found) == {"images/0.png": ("rust", None), "images/1.png": ("scab", None)}
    assert problems_of(found) == {
        "annotations.json, annotation 6": "the file has no image 77",
        "annotations.json, annotation 7": "the file has no category 99",
        "annotations.json, image 2": "it has several categories (rust, scab); an image needs exactly one",
        "annotations.json, image 3": "it has no annotation",
        "annotations.json, image 9": f"the file is missing; put an image of that name into {six}",
        "images/4.png": "no annotation file names this image",
        "images/5.png": "no annotation file names this image",
    }
    assert "boxes and masks are not used" in found.notes


def test_attributes_are_columns(six):
    content = coco({i: f"images/{i}.png" for i in range(2)}, [(0, 7), (1, 3)])
    content["images"][0]["attributes"] = {"group": "p1", "n": 3, "nested": {}}
    content["annotations"][1]["attributes"] = {"plant": "p2"}
    file = put(six / "annotations.json", content)
    first, second = read_labelled(file).cases
    assert (first.group, first.metadata["n"], "nested" in first.metadata) == ("p1", "3", False)
    assert second.group is None
    assert [case.group for case in read_labelled(file, group="plant").cases] == [None, "p2"]


def test_paths_of_another_machine_are_found_by_name_if_that_is_sure(tmp_path):
    for n, name in enumerate(("images/a/1.png", "images/b/1.png", "images/2.png", "images/3.png")):
        picture(tmp_path / name, n)
    names = [r"C:\data\a\1.png", "s3://bucket/b/1.png", "/mnt/x/2.png", "u/3.png", "v/3.png", "https://h/4.png?x=1"]
    file = put(tmp_path / "labels.json", coco(dict(enumerate(names)), [(n, 7) for n in range(6)]))
    found = read_labelled(file)
    assert [case.source for case in found.cases] == ["images/a/1.png", "images/b/1.png", "images/2.png"]
    told = problems_of(found)
    assert "several entries may mean" in told["labels.json, image 3"]
    assert "several entries may mean" in told["labels.json, image 4"]
    assert "is a web address, which is not downloaded" in told["labels.json, image 5"]
    assert any(note.startswith("5 images are not where the annotations say") for note in found.notes)


def test_names_differ_as_systems_differ(tmp_path):
    for n, name in enumerate(("images/IMG_1.JPG", "images/Fäule 1.png", "images/train/a.png")):
        picture(tmp_path / f"{name}.png", n).rename(tmp_path / name)
    names = ["img_1.jpg", "Fa\u0308ule%201.png", "http://[::/a.png", "images\\Fäule 1.png"]
    found = read_labelled(put(tmp_path / "x_train.json", coco(dict(enumerate(names)), [(n, 7) for n in range(4)])))
    sources = [case.source for case in found.cases]
    assert sources == ["images/IMG_1.JPG", "images/train/a.png", "images/Fäule 1.png"]
    assert len(found.problems) == 1
    assert "several entries may mean" in found.problems[0].problem


def test_an_image_of_another_split_is_never_taken(tmp_path):
    picture(tmp_path / "train" / "b.png", 0)
    picture(tmp_path / "valid" / "a.png", 1)
    put(tmp_path / "train" / "_annotations.coco.json", coco({0: "a.png", 1: "b.png"}, [(0, 7), (1, 3)]))
    put(tmp_path / "valid" / "_annotations.coco.json", coco({0: "a.png"}, [(0, 3)]))
    found = read_labelled(tmp_path)
    assert labels_of(found) == {"train/b.png": ("scab", "support"), "valid/a.png": ("scab", "calibration")}
    assert len(found.problems) == 1
    assert "train/_annotations.coco.json, image 0" in found.problems[0].where


def test_two_names_for_one_id_and_odd_entries_are_errors(six):
    twice = [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]
    with pytest.raises(DataError, match="two categories with the id 1: 'a' and 'b'"):
        read_labelled(put(six / "annotations.json", coco({}, [], twice)))
    with pytest.raises(DataError, match=r"entry 1 of 'images' must be an object, not str"):
        read_labelled(put(six / "annotations.json", {"images": ["a.png"], "categories": []}))
    with pytest.raises(DataError, match="has no columns: its labels are the categories"):
        read_labelled(put(six / "annotations.json", coco({}, [])), label_column="kind")


# -- folders ------------------------------------------------------------------------------------------------------


def test_json_that_is_no_annotation_file_is_passed_over_in_a_folder_and_refused_alone(tmp_path):
    for n, name in enumerate(("rust/1.png", "rust/2.png", "scab/3.png", "scab/4.png")):
        picture(tmp_path / name, n)
    put(tmp_path / "labels.json", {"classes": ["rust"], "labels": {"0": "rust"}})
    other = put(tmp_path / "info.json", {"info": {"version": 1}, "labels": ["rust", "scab"]})
    assert {case.label for case in read_labelled(tmp_path).cases} == {"rust", "scab"}
    with pytest.raises(DataError, match=r"a \.json table is a list of objects"):
        read_labelled(other)
    put(tmp_path / "annotations.json", coco({1: "rust/1.png"}, [(1, 3)]))
    assert labels_of(read_labelled(tmp_path)) == {"rust/1.png": ("scab", None)}
    assert len(read_labelled(tmp_path, label_level=1).cases) == 4


def test_files_of_two_tools_in_a_folder_are_an_error(six):
    put(six / "annotations.json", coco({0: "images/0.png"}, [(0, 7)]))
    put(six / "tasks.json", [task("images/0.png", ["rust"])])
    with pytest.raises(DataError, match=r"several tools: annotations.json \(COCO\), tasks.json \(Label Studio\)"):
        read_labelled(six)


def test_an_unpacked_archive_with_one_folder_is_opened(tmp_path):
    picture(tmp_path / "export" / "images" / "0.png", 0)
    put(tmp_path / "export" / "result.json", coco({0: "images/0.png"}, [(0, 7)]))
    assert labels_of(read_labelled(tmp_path)) == {"images/0.png": ("rust", None)}


# -- Label Studio -------------------------------------------------------------------------------------------------


def result(*labels, question="choice"):
    return {"from_name": question, "to_name": "image", "type": "choices", "value": {"choices": list(labels)}}


def task(image, *answers, **data):
    """A task with one annotation an answer; None is a skipped one."""
    made = [{"was_cancelled": True} if one is None else {"result": [result(*one)]} for one in answers]
    return {"data": {"image": image, **data}, "annotations": made}


def test_label_studio_takes_what_annotators_agree_on(six):
    tasks = [
        task("/data/upload/1/0a1b2c3d-0.png", ["rust"], ["rust"], group="p0"),
        task("/data/local-files/?d=set%2Fimages/1.png", None, ["scab"]),
        task("s3://bucket/2.png", ["rust"], ["scab"]),
        task("images/3.png", None),
        task("images/4.png"),
        task("images/5.png", ["rust", "scab"]),
    ]
    tasks[4]["predictions"] = [{"result": [result("rust")]}]
    found = read_labelled(put(six / "project-1.json", tasks))
    assert labels_of(found) == {"images/0.png": ("rust", None), "images/1.png": ("scab", None)}
    assert found.cases[0].group == "p0"
    several = "it has several labels, by its annotators or in one annotation (rust, scab); an image needs exactly one"
    assert problems_of(found) == {
        "project-1.json, task 3": several,
        "project-1.json, task 4": "its annotators skipped it",
        "project-1.json, task 5": "it has no annotation",
        "project-1.json, task 6": several,
    }
    assert "1 tasks have predictions, which are not labels and were not used" in found.notes


def test_label_studio_with_several_questions_asks_which(six):
    two = {"data": {"photo": "images/0.png"}}
    two["annotations"] = [{"result": [result("rust", question="disease"), result("good", question="quality")]}]
    file = put(six / "tasks.json", [two])
    with pytest.raises(DataError, match=r"has the questions disease, quality; name the one .* --label-column"):
        read_labelled(file)
    assert labels_of(read_labelled(file, label_column="disease")) == {"images/0.png": ("rust", None)}


def test_label_studio_flat_json_and_table(six):
    rows = [
        {"image": f"images/{i}.png", "id": i, "choice": label, "annotator": who, "annotation_id": n, "plant": "p"}
        for n, (i, label, who) in enumerate([(1, "rust", 1), (1, "rust", 2), (2, "scab", 1), (3, "a", 1), (3, "b", 2)])
    ]
    rows.append({**rows[0], "image": "images/4.png", "id": 4, "choice": {"choices": ["a", "b"]}})
    expected = {"images/1.png": ("rust", None), "images/2.png": ("scab", None)}
    found = read_labelled(put(six / "min.json", rows), group="plant")
    assert labels_of(found) == expected
    assert {case.group for case in found.cases} == {"p"}
    assert len(found.problems) == 2
    lines = ["image,id,choice,annotator,annotation_id"]
    lines += [
        f"{row['image']},{row['id']},{row['choice']},{row['annotator']},{row['annotation_id']}" for row in rows[:5]
    ]
    lines.append('images/4.png,4,"{""choices"": [""a"", ""b""]}",1,9')
    table = six / "tasks.csv"
    table.write_text("\n".join(lines) + "\n")
    assert labels_of(read_labelled(table)) == expected
    assert [one.where for one in read_labelled(table).problems] == ["tasks.csv, task 3", "tasks.csv, task 4"]


def test_label_studio_columns_are_named_or_asked_for(six):
    row = {"photo": "images/1.png", "id": 1, "label": "rust", "annotator": 1, "annotation_id": 2, "n": "a.png"}
    file = put(six / "min.json", [row])
    assert labels_of(read_labelled(file, path_column="photo")) == {"images/1.png": ("rust", None)}
    with pytest.raises(DataError, match=r"name the key with --path-column \(keys: photo, n\)"):
        read_labelled(file)
    with pytest.raises(
        DataError, match=r"no column 'kind' for the label; name it with --label-column \(photo, label, n"
    ):
        read_labelled(file, label_column="kind")


# -- FiftyOne -----------------------------------------------------------------------------------------------------


def test_fiftyone_labels_are_indices_names_or_objects(tmp_path):
    for i in range(5):
        picture(tmp_path / "data" / "leaves" / f"{i}.png", i)
    labels = {
        "leaves/0": 0,
        "leaves/1": "scab",
        "leaves/2": {"label": 1, "attributes": {"group": "p2", "split": "test"}},
        "leaves/3": None,
        "leaves/4": 5,
    }
    put(tmp_path / "labels.json", {"classes": ["rust", "scab"], "labels": labels})
    found = read_labelled(tmp_path)
    assert labels_of(found) == {
        "data/leaves/0.png": ("rust", None),
        "data/leaves/1.png": ("scab", None),
        "data/leaves/2.png": ("scab", "test"),
    }
    assert found.cases[2].group == "p2"
    assert problems_of(found) == {
        "labels.json, leaves/3": "it has no label",
        "labels.json, leaves/4": "its label '5' is not one of the 2 classes",
    }


# -- any kind -----------------------------------------------------------------------------------------------------


def changed(value, odd):
    """The value with each of its parts replaced by something odd, one at a time."""
    yield odd
    for key in range(len(value)) if isinstance(value, list) else value if isinstance(value, dict) else ():
        for part in changed(value[key], odd):
            copy = value.copy()
            copy[key] = part
            yield copy


VALID = {
    "coco": coco({0: "images/0.png", 1: "images/1.png"}, [(0, 7), (1, 3)]),
    "tasks": [task("images/0.png", ["rust"], group="a"), task("images/1.png", ["scab"])],
    "flat": [{"image": "images/0.png", "id": 1, "choice": "rust", "annotator": 1, "annotation_id": 2}],
    "labels": {
        "classes": ["rust"],
        "labels": {"images/0": 0, "images/1": {"label": "a", "attributes": {"group": "g"}}},
    },
}


@pytest.mark.parametrize("kind", VALID)
@pytest.mark.parametrize(
    "odd", [None, [], {}, "", "\0", "x" * 5000, 7, -1, 1e300, True, [[]], [None], {"a": []}], ids=repr
)
def test_an_odd_value_anywhere_is_a_problem_or_one_clear_error(six, kind, odd):
    for content in changed(VALID[kind], odd):
        try:
            found = read_labelled(put(six / f"{kind}.json", content))
        except DataError as error:
            assert 0 < len(str(error)) < 2000  # noqa: PT017 - either is right
        else:
            assert 0 < len(found.cases) <= 2
            assert all(one.where and one.problem for one in found.problems)
