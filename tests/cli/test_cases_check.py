"""``doubleread cases check``: what it prints and writes, and with which exit code."""

import json
import shutil

import pytest
from kit import photo_folder


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
