"""Data sets, task files, prompts, settings and recordings that are not what they seem: one clear error each."""

import os
import sys

import pytest
from hostile_kit import FILES, error_of, odd_things, patient
from kit import TASK, photo_folder

from doubleread.agents.recorded.book import read_book
from doubleread.agents.recorded.columns import AnswerColumns
from doubleread.agents.recorded.recorder import Recorder
from doubleread.core.case import MAX_IMAGE_BYTES, Case
from doubleread.core.errors import DataError, DoublereadError
from doubleread.evals.datasets import read_dataset, read_labelled
from doubleread.evals.datasets.folder_dataset import read_unlabelled
from doubleread.evals.datasets.folder_walk import walk
from doubleread.evals.datasets.task_file import read_task_file
from doubleread.evals.public.fetch import CHECKSUMS, remembered
from doubleread.evals.suspects.corrections import read_table
from doubleread.mock_server.mock_reply import read_script
from doubleread.prompts.library import Library
from doubleread.settings import load_settings

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="pipes, devices and limits as Linux has them")
FOREIGN = AnswerColumns(key="path", label="label", confidence="label")
READERS = {
    "manifest.csv": read_dataset,
    "manifest.jsonl": read_dataset,
    "annotations.json": read_dataset,
    "task.toml": read_task_file,
    "settings.toml": load_settings,
    "prompt.md": lambda file: Library(file.parent),
    "answers.jsonl": read_book,
    "answers.csv": read_book,
    "table.csv": lambda file: read_book(file, FOREIGN, agent="a", task=TASK),
    "record.jsonl": lambda file: Recorder(file).close(),
    "record.csv": lambda file: Recorder(file).close(),
    "script.jsonl": read_script,
    "suspects.csv": read_table,
    CHECKSUMS: lambda file: remembered(file.parent),
}
HARMLESS = {("record.jsonl", "empty"), ("record.csv", "empty"), ("settings.toml", "empty"), ("script.jsonl", "empty"),
            ("settings.toml", "nothing-but-ends"), ("script.jsonl", "nothing-but-ends")}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("contents", FILES)
def test_contents_of_any_kind_are_one_clear_error(tmp_path, name, contents):
    file = tmp_path / name
    file.write_bytes(FILES[contents])
    if (name, contents) in HARMLESS:
        READERS[name](file)
        return
    with patient(), pytest.raises(DoublereadError) as caught:
        READERS[name](file)
    assert 0 < len(str(caught.value)) < 2000
    if (name, contents) != ("settings.toml", "toml-number"):  # that names the setting
        assert name.split(".")[0] in str(caught.value) or tmp_path.name in str(caught.value)


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file_is_one_clear_error(tmp_path, name):
    for kind, odd in odd_things(tmp_path / "odd", "").items():
        home = tmp_path / kind
        home.mkdir()
        (home / name).symlink_to(odd)
        if name in ("record.jsonl", "record.csv") and kind in ("nothing", "circle"):
            continue  # a new file
        with patient():
            told = error_of(lambda: READERS[name](home / name))  # noqa: B023 - called at once
        assert len(told) < 2000
        assert told or (name, kind) in ((CHECKSUMS, "nothing"), (CHECKSUMS, "circle"))


def test_a_folder_of_images_reads_its_pictures_and_reports_the_rest(tmp_path):
    root = photo_folder(tmp_path / "photos", 3)
    odd = odd_things(root / "red", ".png")
    with (root / "red" / "huge.png").open("wb") as huge:
        huge.write(b"\x89PNG\r\n\x1a\n")
        huge.truncate(MAX_IMAGE_BYTES + 1)
    (root / "red" / "back").symlink_to(root, target_is_directory=True)
    (root / "red" / "top").symlink_to("/", target_is_directory=True)
    with patient():
        found = read_dataset(root)
        cases, unread = read_unlabelled([str(root)])
    assert len(found.cases) == len(cases) == 9
    told = {one.where: one.problem for one in found.problems}
    expected = {f"red/{path.name}" for name, path in odd.items() if name != "folder"} | {"red/huge.png"}
    assert expected | {"red/back", "red/top"} == told.keys()
    assert f"at most {MAX_IMAGE_BYTES // 1_000_000} MB" in told["red/huge.png"]
    assert told["red/pipe.png"] == "not a regular file"
    assert "link to a folder that contains it" in told["red/top"]
    assert len(unread) == len(told)
    assert len(found.cases) + sum(found.left_out.values()) == 9 + len(told) - 2  # without the two links to folders


def test_folders_may_be_deep(tmp_path):
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=folder)
        inner = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(os.open("a.png", os.O_CREAT | os.O_WRONLY, dir_fd=folder))
    os.close(folder)
    with patient():
        found = walk(tmp_path)
    while (tmp_path / "d" / "d").exists():  # too deep to be removed level by level when the tests end
        (tmp_path / "d" / "d").rename(tmp_path / "inner")
        (tmp_path / "d").rmdir()
        (tmp_path / "inner").rename(tmp_path / "d")
    assert len(found.problems) + len(found.images) == 1
    assert len(found.folders) == 1500


def test_rows_that_cannot_be_read_are_reported_and_the_others_are_used(tmp_path):
    photo_folder(tmp_path, 2)
    good = [f'{{"path": "{label}/{file.name}", "label": "{label}"}}' for label in ("blue", "green", "red")
            for file in sorted((tmp_path / label).iterdir())]  # fmt: skip
    bad = [
        '{"path": ',
        "[1]",
        '{"a": ' + "[" * 200 + "}",
        '{"n": 1' + "0" * 400 + "}",
        '{"l": "\\udc00"}',
        '{"x": NaN}',
    ]
    lines = [line for pair in zip(good, bad, strict=True) for line in pair]
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    found = read_labelled(tmp_path / "m.jsonl")
    assert [one.where for one in found.problems] == [f"line {i}" for i in (2, 4, 6, 8, 10, 12)]
    assert len(found.cases) == 6
    rows = [f"{label}/{file.name},{label}" for label in ("blue", "red") for file in (tmp_path / label).iterdir()]
    long = 'a.png,"' + "x" * 200_000 + '"'
    (tmp_path / "m.csv").write_text("\n".join(["path,label", rows[0], long, *rows[1:]]))
    found = read_labelled(tmp_path / "m.csv")
    assert [(one.where, one.problem) for one in found.problems] == [
        ("line 3", "a value has more than 131,072 characters")
    ]
    assert len(found.cases) == 4


@pytest.mark.parametrize("size", ["0", "9" * 5000, "²", "1" * 10, "-1"])
def test_a_block_size_is_a_plain_number(tmp_path, size):
    (tmp_path / "m.csv").write_text("path,label,n\na.png,x,1\n")
    with pytest.raises(DataError, match="whole number above 0") as caught:
        read_labelled(tmp_path / "m.csv", group=f"n//{size}")
    assert len(str(caught.value)) < 500


def test_a_case_is_a_regular_file_of_a_size_that_can_be_read(tmp_path):
    for odd in odd_things(tmp_path, ".png").values():
        with patient(), pytest.raises(DataError, match="cannot read the image"):
            Case.from_file(odd)
    with pytest.raises(DataError, match="cannot read the image"):
        Case.from_file(tmp_path / "a\0b.png")
