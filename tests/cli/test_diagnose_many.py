"""``doubleread diagnose`` with folders, patterns, tables and stdin; streamed, kept in a folder, and resumed."""

import io
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from kit import photo, photo_folder, unspaced

from doubleread.cli.diagnosis_output import FEW
from doubleread.core.verdict import Unread
from doubleread.evals.runs.run_folder import read_record, read_rows

pytestmark = pytest.mark.usefixtures("offline")


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder with twelve new pictures in ``new``."""
    monkeypatch.chdir(tmp_path)
    photo_folder(tmp_path / "new", 4)
    return tmp_path


@pytest.fixture
def sources(doubleread, saved):
    """The images that come back in JSON, and why others do not."""

    def run(*arguments):
        ended = doubleread("diagnose", *arguments, "--panel", saved, "--json")
        found = [json.loads(line) for line in ended.out.splitlines()]
        return [one.get("source") or Path(one["case"]["source"]).name for one in found], ended

    return run


def written(file, text):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


# -- what names images ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("m.csv", "path,label\n../new/red/red-001.png,red\n../new/blue/blue-002.png,blue\n"),
        ("m.tsv", "File\tother\n../new/red/red-001.png\t1\n../new/blue/blue-002.png\t2\n"),
        ("m.jsonl", '{"image": "../new/red/red-001.png"}\n{"image": "../new/blue/blue-002.png"}\n'),
        ("m.csv", "sep=;\npath;label;;\n..\\new\\red\\red-001.png;red;;\n../new/blue/blue-002.png;blue;;\n"),
    ],
)
def test_a_table_names_images_from_its_folder_and_its_labels_are_not_used(sources, home, name, text):
    found, ended = sources(written(home / "lists" / name, text))
    assert (found, ended.code) == (["red-001.png", "blue-002.png"], 0)
    assert all(json.loads(line)["case"]["label"] is None for line in ended.out.splitlines())


def test_each_image_is_named_once_however_it_is_written(sources, home):
    absolute = home / "new" / "red" / "red-000.png"
    found, ended = sources("new/red/red-000.png", "new\\red\\red-000.png", "'new/red/red-000.png' ", "new\\red",
                           absolute, absolute.as_uri(), "new/r*/*.png")  # fmt: skip
    assert found == [f"red-{i:03}.png" for i in range(4)]
    assert "1 path: its backslashes were read as /" in ended.err


def test_what_cannot_be_read_is_told_once_each_and_stops_nothing(sources, home):
    (home / "empty").mkdir()
    found, ended = sources("gone.png", "empty", "no/*.png", "https://host.org/a.png?key=secret", "new/red/red-000.png")
    assert found == ["gone.png", "empty", "no/*.png", "https://host.org/a.png", "red-000.png"]
    assert ended.code == 1
    assert "secret" not in ended.out + ended.err
    problems = [json.loads(line)["problem"] for line in ended.out.splitlines()[:4]]
    assert problems[0] == f"the file is missing: 'gone.png', which means {home / 'gone.png'}"
    assert "expected images in the folder" in problems[1]
    assert "doubleread fetches no images: download the file" in problems[3]


def test_files_of_a_folder_that_are_no_images_are_counted(sources, home):
    written(home / "new" / "notes.txt", "x")
    written(home / "new" / "@eaDir" / "thumb.jpg", "x")
    names, ended = sources("new")
    assert len(names) == 12
    assert unspaced("new: not used: 1 other files (.txt), 1 Synology thumbnails (@eaDir)") in unspaced(ended.err)


def test_nothing_but_empty_folders_is_an_error(doubleread, saved, home):
    (home / "empty").mkdir()
    ended = doubleread("diagnose", "empty", "no/*.png", "--panel", saved)
    assert (ended.code, ended.out) == (2, "")
    assert "empty: no image found" in ended.err
    assert "no/*.png: no image found" in ended.err


@pytest.mark.parametrize("paths", ["{0}\n\n{1}\n", "{0}\r\n{1}", "{0}\0{1}\0", "\ufeff{0}\n{1}\n{0}\n"])
def test_stdin_names_a_path_on_each_line_or_ended_by_zero_bytes(sources, home, monkeypatch, paths):
    monkeypatch.setattr("sys.stdin", io.StringIO(paths.format("new/red/red-000.png", "new/blue/blue-000.png")))
    assert sources("-")[0] == ["red-000.png", "blue-000.png"]


def test_stdin_without_a_path_is_an_error(doubleread, saved, home, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n"))
    ended = doubleread("diagnose", "-", "--panel", saved)
    assert ended.code == 2
    assert "expected a path on each line of stdin" in ended.err


def test_ten_thousand_arguments_are_taken(sources, home):
    found, ended = sources(*[f"gone/{i}.png" for i in range(10_000)], "new/red/red-000.png")
    assert (len(found), found[-1], ended.code) == (10_001, "red-000.png", 1)
    assert "10,000" in ended.err


# -- what is printed --------------------------------------------------------------------------------------------------


def test_a_few_images_get_cards_and_many_a_line_each_with_a_summary(doubleread, saved, home):
    few = doubleread("diagnose", "new/red", "--panel", saved)
    assert few.out.count("What to do") == 4
    photo(home / "new" / "red" / "red-100.png", 2, seed=77)
    assert len(list(home.rglob("*.png"))) == FEW + 1
    many = doubleread("diagnose", "new", "gone.png", "--panel", saved)
    assert "What to do" not in many.out
    lines = many.out.splitlines()
    assert sum(line.startswith(("✓ ", "⚑ ")) for line in lines) == FEW + 1
    assert lines[-1].split() == ["all", str(FEW + 2)]
    assert ["not", "read:", "missing", "1"] in [line.split() for line in lines]
    assert "gone.png" in many.err
    explained = doubleread("diagnose", "new", "--panel", saved, "--explain")
    assert explained.out.count("What to do") == FEW + 1


# -- kept, and resumed ------------------------------------------------------------------------------------------------


def test_verdicts_are_kept_and_the_same_command_does_only_what_is_left(doubleread, saved, home):
    first = doubleread("diagnose", "new/red", "gone.png", "--panel", saved, "-o", "kept", "--json")
    assert first.code == 1
    rows = (home / "kept" / "rows.jsonl").read_bytes()
    assert len(rows.splitlines()) == 4
    (unopened,) = (home / "kept" / "unopened.jsonl").read_text().splitlines()
    assert Unread.model_validate_json(unopened).code == "missing"
    with (home / "kept" / "rows.jsonl").open("ab") as torn:
        torn.write(b'{"index":4,"case":{"id":"ab')
    photo(home / "new" / "red" / "red-002.png", 0, seed=4711)  # another picture under the same name
    again = doubleread("diagnose", "new", "--panel", saved, "-o", "kept", "--json")
    assert again.code == 0
    assert len(again.out.splitlines()) == 9
    assert "3 images were diagnosed before" in again.err
    assert (home / "kept" / "rows.jsonl").read_bytes().startswith(rows)
    kept = list(read_rows(home / "kept"))
    assert [row.index for row in kept] == list(range(13))
    assert read_record(home / "kept").cases == 13
    assert len((home / "kept" / "cases.csv").read_text().splitlines()) == 14
    assert (home / "kept" / "unopened.jsonl").read_text() == ""


def test_images_that_failed_are_diagnosed_again_only_when_asked(doubleread, saved, home):
    (home / "new" / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n, or so it seems")
    keep = ("diagnose", "new/red", "--panel", saved, "-o", "kept", "--json")
    assert (doubleread(*keep).code, len(doubleread(*keep).out.splitlines())) == (1, 0)
    retried = doubleread(*keep, "--retry-errors")
    (line,) = retried.out.splitlines()
    assert (retried.code, Unread.model_validate_json(line).source) == (1, "new/red/broken.png")
    assert len(list(read_rows(home / "kept"))) == 5


@pytest.mark.parametrize(
    ("change", "told"), [("panel", "the panel"), ("task", "the cases or the task"), ("file", "is not empty")]
)
def test_a_folder_of_something_else_is_refused_and_left_as_it_is(doubleread, saved, made, home, change, told):
    doubleread("diagnose", "new/red", "--panel", saved, "-o", "kept")
    if change == "file":
        (home / "kept" / "run.json").unlink()
    rows = (home / "kept" / "rows.jsonl").read_bytes()
    written(home / "task.toml", "[costs]\nreferral = 0.0")
    more = ("--task", "task.toml") if change == "task" else ()
    ended = doubleread("diagnose", "new", "--panel", made if change == "panel" else saved, "-o", "kept", *more)
    assert (ended.code, ended.out) == (2, "")
    assert unspaced(told) in unspaced(ended.err)
    assert "choose a new folder" in " ".join(ended.err.split())
    assert (home / "kept" / "rows.jsonl").read_bytes() == rows


def test_costs_of_a_task_file_are_in_what_is_kept(doubleread, saved, home):
    written(home / "task.toml", "[costs]\nreferral = 0.0")
    doubleread("diagnose", "new/red", "--panel", saved, "-o", "kept", "--task", "task.toml")
    assert {row.verdict.decision.action for row in read_rows(home / "kept")} == {"refer"}


@contextmanager
def child(*arguments):
    """The command in a process of its own, with a pipe to each end."""
    told = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "100"}
    command = [sys.executable, "-m", "doubleread", "diagnose", *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=told) as process:
        try:
            yield process
        finally:
            process.kill()


def tell(process, text):
    process.stdin.write(text)
    process.stdin.flush()


def source_of(process):
    return json.loads(process.stdout.readline())["case"]["source"]


def test_an_image_of_stdin_is_read_before_the_next_one_is_named(saved, home):
    with child("-", "--panel", saved, "--json") as process:
        for name in ("new/red/red-000.png", "new/blue/blue-001.png"):
            tell(process, f"{name}\n")
            assert source_of(process) == name
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err


def test_ctrl_c_while_stdin_is_waited_for_keeps_what_is_done(saved, home):
    with child("-", "--panel", saved, "--json", "-o", "kept") as process:
        tell(process, "new/red/red-000.png\n")
        source_of(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert "the same command resumes" in process.stderr.read()
    assert len(list(read_rows(home / "kept"))) == 1
    assert read_record(home / "kept").cases == 1


def test_a_killed_run_loses_nothing_that_was_shown(doubleread, saved, home):
    photo_folder(home / "more", 30)
    with child("more", "--panel", saved, "--json", "-o", "kept") as process:
        shown = {source_of(process) for _ in range(3)}
    kept = {row.case.source for row in read_rows(home / "kept")}
    assert shown <= kept
    rest = doubleread("diagnose", "more", "--panel", saved, "--json", "-o", "kept")
    assert rest.code == 0
    assert len(rest.out.splitlines()) == 90 - len(kept)
    assert len({row.case.path for row in read_rows(home / "kept")}) == 90
