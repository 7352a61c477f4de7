"""``doubleread cases suspect`` and ``correct``: found, shown, and put right."""

import csv
import json
import shutil

import pytest
from kit import photo_folder


@pytest.fixture(autouse=True)
def quick_encoder(tmp_path, monkeypatch):
    monkeypatch.setenv("DOUBLEREAD_ENCODER__NAME", "colour-texture")
    monkeypatch.setenv("DOUBLEREAD_ENCODER__CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def photos(tmp_path):
    """Sixty pictures of three colours; two of them lie in the wrong folder."""
    folder = photo_folder(tmp_path / "photos", 20)
    shutil.move(folder / "red" / "red-003.png", folder / "blue" / "was-red.png")
    shutil.move(folder / "green" / "green-005.png", folder / "red" / "was-green.png")
    return folder


def rows(file):
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def decide(file, decisions):
    """Writes decisions, by source, into the column ``correct``."""
    table = rows(file)
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, table[0].keys())
        writer.writeheader()
        writer.writerows({**row, "correct": decisions.get(row["source"], "")} for row in table)


@pytest.fixture
def suspected(doubleread, photos, tmp_path):
    ended = doubleread("cases", "suspect", photos, "-o", tmp_path / "out", "--json")
    assert ended.code == 0
    return json.loads(ended.out)


def test_wrong_labels_come_first_with_what_they_look_like(suspected, tmp_path):
    first = {(one["source"], one["label"], one["suggested"]) for one in suspected["suspects"][:2]}
    assert first == {("blue/was-red.png", "blue", "red"), ("red/was-green.png", "red", "green")}
    one = suspected["suspects"][0]
    assert one["probability"] < 0.1 < one["suggested_probability"]
    assert all(example["source"].startswith(one["suggested"]) for example in one["like_suggested"])
    assert [row["source"] for row in rows(tmp_path / "out" / "corrections.csv")] == [
        suspect["source"] for suspect in suspected["suspects"]
    ]


def test_the_page_shows_pictures_and_fetches_nothing(suspected, tmp_path):
    page = (tmp_path / "out" / "suspects.html").read_text()
    assert page.count("data:image/webp;base64,") >= 2 * 7
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    assert 'Labelled <span class="s-given">' in page


def test_the_first_sentence_answers(doubleread, photos, tmp_path):
    ended = doubleread("cases", "suspect", photos, "-o", tmp_path / "new", "--limit", 5)
    assert ended.code == 0
    assert ended.out.startswith("About 2 (")
    assert ended.out.splitlines()[0].endswith("of 60 labels are probably wrong; the 5 most suspicious are listed.")
    assert "was-red.png" in ended.out


def test_decisions_are_not_overwritten(doubleread, suspected, photos, tmp_path):
    ended = doubleread("cases", "suspect", photos, "-o", tmp_path / "out")
    assert ended.code == 2
    assert "may hold decisions" in ended.err


def test_corrections_of_a_data_set_make_a_new_manifest(doubleread, suspected, photos, tmp_path):
    table, new = tmp_path / "out" / "corrections.csv", tmp_path / "corrected.csv"
    decide(table, {"blue/was-red.png": "red", "red/was-green.png": "green"})
    ended = doubleread("cases", "correct", photos, table, "-o", new)
    assert ended.code == 0
    assert ended.out.startswith("2 labels corrected in")
    labels = {row["path"].rsplit("/", 1)[-1]: row["label"] for row in rows(new)}
    assert len(labels) == 60
    assert (labels["was-red.png"], labels["was-green.png"]) == ("red", "green")
    assert (photos / "blue" / "was-red.png").is_file()


def test_corrections_of_an_archive_relabel_its_cases(doubleread, photos, tmp_path):
    archive, table = tmp_path / "archive", tmp_path / "out" / "corrections.csv"
    assert doubleread("cases", "add", archive, photos).code == 0
    assert doubleread("cases", "suspect", archive, "-o", tmp_path / "out").code == 0
    decide(table, {"blue/was-red.png": "red"})
    ended = doubleread("cases", "correct", archive, table, "--reviewer", "Ada")
    assert ended.out.startswith("1 label corrected in")
    history = doubleread("cases", "history", archive).out
    assert "blue → red" in history
    assert "Ada" in history


def test_an_undecided_table_changes_nothing(doubleread, suspected, photos, tmp_path):
    ended = doubleread("cases", "correct", photos, tmp_path / "out" / "corrections.csv", "-o", tmp_path / "new.csv")
    assert ended.out.startswith("nothing to correct")
    assert not (tmp_path / "new.csv").exists()


def test_another_table_is_an_error(doubleread, photos, tmp_path):
    (tmp_path / "other.csv").write_text("path,label\na.png,red\n")
    ended = doubleread("cases", "correct", photos, tmp_path / "other.csv")
    assert ended.code == 2
    assert "lacks the columns correct, id" in ended.err
