"""A recording on a disk that refuses, after a crash, and with several processes: nothing counts that is not stored."""

import subprocess
import sys

import pytest
from kit import case_of, opinion

from doubleread.agents.recorded.book import read_book
from doubleread.agents.recorded.recorder import Recorder
from doubleread.core.errors import DataError

SAID = opinion("gpt", 0.1, 0.7, 0.2)
FILL = """
import resource, signal, sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from kit import case_of, opinion
from doubleread.agents.recorded.recorder import Recorder
from doubleread.core.errors import FileError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
said, stored = opinion("gpt", 0.1, 0.7, 0.2), 0
with Recorder(Path(sys.argv[1])) as record:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    try:
        for i in range(200):
            record(case_of(str(i)), said)
            stored += 1
    except FileError as error:
        print(stored, error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    record(case_of(str(stored)), said)  # there is room again: what was refused is taken
"""
SHARE = """
import sys
sys.path[:0] = sys.argv[3:]
from pathlib import Path
from kit import case_of, opinion
from doubleread.agents.recorded.recorder import Recorder
with Recorder(Path(sys.argv[1])) as record:
    for i in range(40):
        record(case_of(f"{sys.argv[2]}-{i}"), opinion("gpt", 0.1, 0.7, 0.2))
"""


def started(program, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments), *filter(None, sys.path)],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
@pytest.mark.parametrize("room", [0, 100, 2000, 5001])
def test_on_a_full_disk_what_was_taken_is_there_and_the_rest_may_come_again(tmp_path, suffix, room):
    path = tmp_path / f"a.{suffix}"
    child = started(FILL, path, room)
    told = child.communicate()[0]
    assert child.returncode == 0
    stored = int(told.split()[0])
    assert f"{path} cannot be written: File too large; what it held before is kept" in told
    book = read_book(path)
    assert len(book.answers) == stored + 1
    assert book.problems == ()


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_several_processes_record_into_one_file(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    children = [started(SHARE, path, i) for i in range(3)]
    assert [child.communicate() and child.returncode for child in children] == [0, 0, 0]
    book = read_book(path)
    assert len(book.answers) == 120
    assert book.problems == ()


@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_cut_anywhere_a_recording_goes_on(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    cases = [case_of(str(i)) for i in range(3)]
    with Recorder(path) as record:
        for case in cases:
            record(case, SAID)
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        with Recorder(path) as record:
            for case in cases:
                record(case, SAID)
        assert path.read_bytes() == whole


@pytest.mark.parametrize("other", [b"one line without an end", b'{"my": "notes"}', b"a,b,c", b"x\ny"])
@pytest.mark.parametrize("suffix", ["jsonl", "csv"])
def test_a_file_of_something_else_is_left_alone(tmp_path, suffix, other):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(other)
    with pytest.raises(DataError, match="it is no recording"):
        Recorder(path)
    assert path.read_bytes() == other
