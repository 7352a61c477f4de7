"""The file of outcomes: whatever was added is there, and whatever was changed since is noticed."""

import json
import os
import random
import resource
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from doubleread.core.errors import FileError, PanelError
from doubleread.core.reading import Retraction
from doubleread.panel.outcomes import FILE, HEAD, OutcomeEntry, Outcomes, add_entries, find_outcome, read_outcomes

TIME = datetime(2026, 1, 1, tzinfo=UTC)
FULL_DISK = """
import resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from doubleread.core.errors import FileError
from doubleread.core.reading import Retraction
from doubleread.panel.outcomes import OutcomeEntry, add_entries
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
for i in range(8):
    try:
        add_entries(Path(sys.argv[1]), [OutcomeEntry(retraction=Retraction(case=f"c{i}", time=datetime.now(UTC)))])
        print(f"c{i}", flush=True)
    except FileError as error:
        print(error, file=sys.stderr)
        sys.exit(3)
"""
"""Adds eight lines where files may have so many bytes, and names those that were stored."""


def entry(name, note=""):
    return OutcomeEntry(retraction=Retraction(case=name, note=note, time=TIME))


def cases(folder):
    return [one.retraction.case for one in read_outcomes(folder).history]


@pytest.fixture
def folder(tmp_path):
    """A folder with six lines of outcomes."""
    for i in range(6):
        add_entries(tmp_path, [entry(f"c{i}", note="n" * 10 * i)])
    return tmp_path


def test_lines_come_back_and_the_head_counts_them(folder):
    assert cases(folder) == [f"c{i}" for i in range(6)]
    assert not read_outcomes(folder).problems
    assert json.loads((folder / HEAD).read_text())["count"] == 6
    add_entries(folder, [entry("x"), entry("y")])
    assert cases(folder)[6:] == ["x", "y"]
    assert find_outcome(folder, "x") is None


def test_a_folder_without_outcomes_has_none(tmp_path):
    assert read_outcomes(tmp_path) == Outcomes()


def changed_lines(lines, rng):
    """Every way to change whole lines, by name."""
    i, j = sorted(rng.sample(range(len(lines)), 2))
    swapped = list(lines)
    swapped[i], swapped[j] = lines[j], lines[i]
    return {
        "deleted": lines[:i] + lines[i + 1 :],
        "doubled": [*lines[: i + 1], lines[i], *lines[i + 1 :]],
        "swapped": swapped,
        "cut off": lines[:j],
        "emptied": [],
        "added blank": [*lines[: i + 1], b"", *lines[i + 1 :]],
        "another case": [*lines[:i], lines[i].replace(b"c", b"d", 1), *lines[i + 1 :]],
        "no outcome": [*lines[:i], b"{}", *lines[i + 1 :]],
        "deep": [*lines[:i], b"[" * 100_000, *lines[i + 1 :]],
    }


@pytest.mark.parametrize("seed", range(4))
def test_changed_lines_are_noticed(folder, seed):
    lines = (folder / FILE).read_bytes().splitlines()
    for what, left in changed_lines(lines, random.Random(seed)).items():
        (folder / FILE).write_bytes(b"".join(line + b"\n" for line in left))
        with pytest.raises(PanelError, match=rf"{FILE}.*damaged.*put back a whole copy") as told:
            read_outcomes(folder)
        assert "\n" not in str(told.value), what


def test_every_flipped_bit_is_noticed(folder):
    whole, rng = (folder / FILE).read_bytes(), random.Random(5)
    for _ in range(200):
        data = bytearray(whole)
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        (folder / FILE).write_bytes(data)
        with pytest.raises(PanelError, match="put back a whole copy"):
            read_outcomes(folder)
    (folder / FILE).unlink()
    with pytest.raises(PanelError, match="6 lines were written, and 0 are there"):
        read_outcomes(folder)


DAMAGED = (b"", b"{", b"[]", b'{"count": 6}', b'{"count": -1}', b'{"count": 1e999}', b'{"count": 5, "digest": "0"}')


@pytest.mark.parametrize("head", DAMAGED)
def test_a_damaged_head_is_noticed(folder, head):
    (folder / HEAD).write_bytes(head)
    for act in (lambda: read_outcomes(folder), lambda: add_entries(folder, [entry("x")]) or read_outcomes(folder)):
        with pytest.raises(PanelError, match=rf"{HEAD}.*put back a whole copy"):
            act()


def test_a_head_that_is_behind_is_caught_up_with(folder):
    """As after a crash between the two writes."""
    behind = (folder / HEAD).read_bytes()
    add_entries(folder, [entry("x")])
    (folder / HEAD).write_bytes(behind)
    assert cases(folder)[-1] == "x"
    add_entries(folder, [entry("y")])
    assert json.loads((folder / HEAD).read_text())["count"] == 8
    assert cases(folder)[-2:] == ["x", "y"]


def test_nothing_is_added_to_a_damaged_end(folder):
    with (folder / FILE).open("ab") as file:
        file.write(b"{}\n")
    before = (folder / FILE).read_bytes()
    with pytest.raises(PanelError, match="line 7 is damaged"):
        add_entries(folder, [entry("x")])
    assert (folder / FILE).read_bytes() == before


@pytest.mark.parametrize("name", [FILE, HEAD, ".lock"])
def test_pipes_and_links_that_lead_out_are_refused(tmp_path, name):
    folder, outside = tmp_path / "panel", tmp_path / "secret"
    for kind in ("pipe", "link"):
        folder.mkdir()
        outside.write_text("secret\n")
        os.mkfifo(folder / name) if kind == "pipe" else (folder / name).symlink_to(outside)
        with pytest.raises(PanelError, match=f"{name} is") as told:
            add_entries(folder, [entry("x")])
        assert "secret\n" not in str(told.value)
        assert outside.read_text() == "secret\n"
        (folder / name).unlink()
        for left in folder.iterdir():
            left.unlink()
        folder.rmdir()


@pytest.mark.parametrize("room", [0, 150, 333, 700])
def test_only_what_is_stored_is_acknowledged(tmp_path, room):
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path), str(room)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert cases(tmp_path) == done.stdout.split()
    assert f"{FILE} cannot be written" in done.stderr
    assert "nothing was added" in done.stderr
    add_entries(tmp_path, [entry("later")])
    assert cases(tmp_path) == [*done.stdout.split(), "later"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_folder_that_is_not_there_takes_nothing(tmp_path):
    with pytest.raises((PanelError, FileError), match="nowhere"):
        add_entries(tmp_path / "nowhere", [entry("x")])
    assert not (tmp_path / "nowhere").exists()
