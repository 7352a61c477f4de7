"""How folders of images that people have are read: right, or refused with the readings that are possible."""

from collections import Counter
from pathlib import Path

import pytest
from evals_support import picture

from benchmarks.bench_layouts import AB, READ, REFUSED, each
from doubleread.core.errors import DataError
from doubleread.evals.datasets import read_dataset, read_labelled
from doubleread.evals.datasets.folder_layout import read_layout
from doubleread.evals.datasets.label_names import split_of_folder


@pytest.mark.parametrize("kind", READ)
def test_a_layout_is_recognised_and_every_image_accounted_for(kind):
    images, labels, names, left_out = READ[kind]
    layout = read_layout(images)
    assert {place.label for place in layout.places.values()} == labels
    assert {place.split for place in layout.places.values()} == names
    assert layout.places.keys() | layout.left_out.keys() == set(images)
    assert not layout.places.keys() & layout.left_out.keys()
    assert left_out is None or len(layout.left_out) == left_out


@pytest.mark.parametrize("kind", REFUSED)
def test_a_folder_with_several_readings_is_refused_with_all_of_them(kind):
    images, told = REFUSED[kind]
    with pytest.raises(DataError, match="it is not clear which folders are the labels") as error:
        read_layout(images)
    assert [text for text in told if text not in str(error.value)] == []


def test_images_in_no_folder_are_told_how_their_names_may_be_labels():
    with pytest.raises(DataError, match=r"no sub-folder per label.* which gives labels rust, scab"):
        read_layout([Path("rust_1.jpg"), Path("scab_2.jpg")])
    with pytest.raises(DataError, match=r"the folder images contains 2 images but no sub-folder"):
        read_layout([Path("images/a.jpg"), Path("images/b.jpg")])


def test_names_of_splits():
    known = {
        "support": ["train", "Training", "train_set", "trainset", "1_train", "images_train", "train (1)", "Train2017"],
        "calibration": ["val", "VALID", "validation set", "val_images", "dev"],
        "test": ["test", "Test Set", "testing", "eval", "seg_test", "test1", "hold-out"],
        None: ["rust", "contest", "strain", "trains", "pred", "tested", "attest", "evaluator", ""],
    }
    assert {name: split_of_folder(name) for names in known.values() for name in names} == {
        name: split for split, names in known.items() for name in names
    }


def disk(root, images):
    for i, path in enumerate(images):
        picture(root / path.with_suffix(".png"), i)
    return root


def test_a_level_is_chosen_and_folders_of_splits_above_it_are_splits(tmp_path):
    root = disk(tmp_path, READ["Roboflow"][0] + [Path("train/loose.jpg")])
    dataset = read_labelled(root, label_level=-1)
    assert Counter(case.label for case in dataset.cases) == {"rust": 6, "scab": 6, "train": 1}
    root = disk(
        tmp_path / "deep", [*each("train/apple/rust", "train/grape/scab", "test/apple/rust", "test/grape/scab")]
    )
    assert {(case.label, case.split) for case in read_labelled(root, label_level=2).cases} == {
        ("apple", "support"), ("grape", "support"), ("apple", "test"), ("grape", "test"),
    }  # fmt: skip
    with pytest.raises(DataError, match="at most 3 levels of folders"):
        read_labelled(root, label_level=4)


def test_labels_may_be_taken_from_file_names(tmp_path):
    root = disk(tmp_path / "pets", [Path(f"images/{name}_{k}.jpg") for name in AB for k in range(2)] + [Path("x.jpg")])
    dataset = read_dataset(root, label=r"re:(\w+)_\d+")
    assert dataset.sizes() == {"rust": 2, "scab": 2}
    assert dataset.left_out == {"images without a label": 1}
    with pytest.raises(DataError, match="label re:rust: put the part that names the label"):
        read_dataset(root, label="re:rust")
    with pytest.raises(DataError, match="write 're:' and a pattern"):
        read_dataset(root, label="species")
    with pytest.raises(DataError, match=r"no label found in any of 5 paths, such as 'images/rust_0\.png'"):
        read_dataset(root, label=r"re:/(\w+)/\w+/")


def test_a_table_beside_images_without_labels_is_named(tmp_path):
    disk(tmp_path, [Path("images/1.jpg"), Path("images/2.jpg")])
    (tmp_path / "labels.csv").write_text("image_id,label\n1,rust\n2,scab\n")
    with pytest.raises(DataError, match=r"no sub-folder per label.*If labels\.csv names the labels, give it instead"):
        read_dataset(tmp_path)


def test_label_folders_without_an_image_are_named(folder):
    (folder / "blight").mkdir()
    (folder / "mildew").mkdir()
    (folder / "mildew" / "notes.txt").write_text("x")
    dataset = read_dataset(folder)
    assert {one.where for one in dataset.problems} == {"blight", "mildew"}
    assert any("blight" in line and "no image" in line for line in dataset.warnings)


def test_contents_decide_what_an_image_is(folder):
    (folder / "rust" / "plant0-a.png").rename(folder / "rust" / "0001")
    (folder / "rust" / "plant1-a.png").rename(folder / "rust" / "plant1.dat")
    (folder / "rust" / "page.jpg").write_text("<html>404</html>")
    (folder / "rust" / "pointer.jpg").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0")
    dataset = read_dataset(folder)
    assert dataset.sizes() == {"healthy": 3, "rust": 3}
    told = {one.where: one.problem for one in dataset.problems}
    assert "web page" in told["rust/page.jpg"]
    assert "git lfs pull" in told["rust/pointer.jpg"]


def test_folders_of_known_tools_are_no_labels(folder):
    for name in ("@eaDir", "__MACOSX", ".ipynb_checkpoints", "rust/@eaDir/plant0-a.png"):
        picture(folder / name / "thumbnail.png", 7)
    dataset = read_dataset(folder)
    assert dataset.sizes() == {"healthy": 3, "rust": 3}
    assert dataset.left_out == {
        "Synology thumbnails (@eaDir)": 2, "macOS archive data (__MACOSX)": 1, "Jupyter checkpoints": 1,
    }  # fmt: skip
    assert dataset.accounting.startswith("10 found = 6 used + ")


def test_a_label_that_loses_all_its_images_is_named(folder):
    for i in range(2):
        (folder / "blight").mkdir(exist_ok=True)
        (folder / "blight" / f"{i}.jpg").write_bytes(b"8BPS")
    dataset = read_dataset(folder)
    assert any("'blight' has no image left: all 2 were left out" in line for line in dataset.warnings)


def test_a_linked_label_folder_is_read_and_a_second_name_of_one_is_named(folder, tmp_path):
    (folder / "rust").rename(tmp_path / "elsewhere")
    (folder / "rust").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(folder / "healthy")
    dataset = read_dataset(folder)
    assert dataset.sizes() == {"healthy": 3, "rust": 3}
    assert {one.where: one.problem for one in dataset.problems} == {
        "again": "the folder cannot be read: it is a link to healthy, which is read already"
    }


def test_only_folders_have_levels(folder, manifest):
    file = manifest(("path", "label"), [("a.png", "x"), ("b.png", "x"), ("c.png", "y"), ("d.png", "y")])
    for options in ({"label_level": 1}, {"label": r"re:(\w)"}):
        with pytest.raises(DataError, match="names its labels itself"):
            read_dataset(file, **options)
    assert read_dataset(folder, label_level=1).sizes() == {"healthy": 3, "rust": 3}
