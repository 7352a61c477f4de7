"""What was acknowledged is stored; what the disk refused left the file as it was."""

import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from doubleread.core.durable import AppendFile, append_lines, write_file
from doubleread.core.errors import FileError

LINE = b"x" * 99 + b"\n"
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from doubleread.core.durable import append_lines, write_file
from doubleread.core.errors import FileError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    {"append": append_lines, "write": write_file}[sys.argv[3]](Path(sys.argv[1]), 2 * (b"y" * 99 + b"\\n"))
except FileError as error:
    print(error)
    sys.exit(3)
"""
"""A limit on the size of files makes ``write`` write short, as a full disk does, then fail."""


def test_lines_of_several_writers_stay_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "log"
    threads = [threading.Thread(target=append_lines, args=(path, bytes([65 + i]) * 99 + b"\n")) for i in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    lines = path.read_bytes().splitlines()
    assert sorted(line[:1] for line in lines) == [bytes([65 + i]) for i in range(8)]
    assert all(len(line) == 99 and len(set(line)) == 1 for line in lines)


@pytest.mark.parametrize("torn", [b"half", b"h" * 10_000])
def test_half_a_line_is_cut_off_first(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "log"
    for before in (b"", LINE, LINE * 100):
        path.write_bytes(before + torn)
        append_lines(path, b"new\n")
        assert path.read_bytes() == before + b"new\n"


@pytest.mark.parametrize("room", range(100, 300, 20))
def test_a_full_disk_adds_nothing_and_says_so(tmp_path: Path, room: int) -> None:
    path = tmp_path / "log"
    path.write_bytes(LINE)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), str(room), "append"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert path.read_bytes() == LINE
    assert f"{path} cannot be written" in done.stdout
    assert "what it held before is kept" in done.stdout


def test_a_full_disk_replaces_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(LINE)
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(path), "150", "write"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3, done.stderr
    assert path.read_bytes() == LINE
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    assert "it is as it was before" in done.stdout


def test_the_limit_is_what_makes_it_fail(tmp_path: Path) -> None:
    """The control: with room, the same program writes both lines."""
    path = tmp_path / "log"
    path.write_bytes(LINE)
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(path), "1000", "append"], check=False)
    assert done.returncode == 0
    assert len(path.read_bytes()) == 300
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_files_are_replaced_and_folders_refused(tmp_path: Path) -> None:
    write_file(tmp_path / "a", b"1")
    write_file(tmp_path / "a", b"2")
    assert (tmp_path / "a").read_bytes() == b"2"
    (tmp_path / "folder").mkdir()
    with pytest.raises(FileError, match="folder cannot be written"):
        AppendFile(tmp_path / "folder")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a", "folder"]
