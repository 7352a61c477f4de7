"""``doubleread cases check``: what it prints and writes, and with which exit code."""

import json
import shutil

import pytest
from kit import photo_folder
from PIL import Image


@pytest.fixture(autouse=True)
def quick_encoder(tmp_path, monkeypatch):
    monkeypatch.setenv("DOUBLEREAD_ENCODER__NAME", "colour-texture")
    monkeypatch.setenv("DOUBLEREAD_ENCODER__CACHE_DIR", str(tmp_path / "cache"))


def test_one_picture_under_two_labels_is_a_conflict(doubleread, tmp_path):
    """Reading leaves it out, since nobody knows its label; the check must tell of it all the same."""
    folder, out = photo_folder(tmp_path / "photos", 10), tmp_path / "found.json"
    first, second, *_ = sorted(path for path in folder.iterdir() if path.is_dir())
    shutil.copy(sorted(first.iterdir())[0], second / "again.png")
    ended = doubleread("cases", "check", folder, "-o", out)
    assert ended.code == 1
    assert "1 picture with contradicting labels" in ended.out
    (conflict,) = json.loads(out.read_text())["leakage"]["conflicts"]
    assert conflict["labels"] == sorted([first.name, second.name])
    assert sorted(conflict["sources"])[1] == f"{second.name}/again.png"


def test_data_without_splits_are_not_split(doubleread, tmp_path):
    folder, out = photo_folder(tmp_path / "photos", 8), tmp_path / "found.json"
    picture = sorted(folder.glob("*/*.png"))[0]
    shutil.copy(picture, picture.with_name("same.png"))
    Image.open(picture).transpose(Image.Transpose.ROTATE_90).save(picture.with_name("turned.png"))
    ended = doubleread("cases", "check", folder, "-o", out)
    assert ended.code == 1
    assert "the data have no splits; copies are listed, since every split must keep them together" in ended.out
    assert "1 picture stored more than once" in ended.out
    assert "1 pair of nearly identical pictures" in ended.out
    assert "different splits" not in ended.out
    found = json.loads(out.read_text())
    assert found["leakage"]["splits"] == ["none"]
    assert found["effect"]["left_out"] is True
    assert (found["effect"]["n"], found["effect"]["seen"]) == (25, 24)
    assert [sorted(name.split("/")[1] for name in one) for one in found["clusters"]] == [[picture.name, "turned.png"]]


def test_flat_pictures_are_no_copies_of_others_and_contradict_nothing(doubleread, tmp_path):
    folder = photo_folder(tmp_path / "photos", 8)
    for level, label in ((128, "blue"), (130, "green"), (0, "red")):
        Image.new("RGB", (64, 64), (level, level, level)).save(folder / label / "flat.png")
    ended = doubleread("cases", "check", folder)
    assert ended.code == 0
    assert "no nearly identical pictures" in ended.out
    assert "3 pictures show too little detail to find near copies of them" in ended.err
    assert "contradicting" not in ended.out


def test_copies_in_two_splits_leak(doubleread, tmp_path):
    for split in ("train", "test"):
        photo_folder(tmp_path / "photos" / split, 8)
    for path in (tmp_path / "photos" / "test").glob("*/*.png"):
        Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    ended = doubleread("cases", "check", tmp_path / "photos")
    assert ended.code == 1
    assert "24 pairs of nearly identical pictures in different splits" in ended.out
    assert "24 of 24 test cases share copies or groups" in ended.out
