"""Runs on disks that refuse, in folders that were half begun, and with files that are not what they seem."""

import os
import random
import signal
import subprocess
import sys
import threading

import pytest
from hostile_kit import FILES, error_of, odd_things, patient
from kit import TASK
from verdicts_kit import verdict

from doubleread.core.errors import RunError
from doubleread.evals.runs.batch_pictures import FILE as BATCH
from doubleread.evals.runs.batch_pictures import read_comparison
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_engine import CaseResult, NumberedCase
from doubleread.evals.runs.run_folder import RECORD, ROWS, RunFolder, read_record, read_rows
from doubleread.evals.runs.run_record import RunRecord
from doubleread.evals.runs.runner import run

SAID = [verdict(str(i), "a", 0.9, agent=0.8) for i in range(60)]
CASES = [NumberedCase(i, one.case) for i, one in enumerate(SAID)]
HEAD = RunRecord(
    name="x", cases=60, digest="d", panel="p" * 64, task=TASK, trust=(), archive="v1", settings={}, provenance={},
    seed=0, started="2026-01-01T00:00:00Z",
)  # fmt: skip


class Engine:
    """Answers every case at once."""

    async def answers(self, cases):
        for numbered in cases:
            yield CaseResult(numbered, SAID[numbered.place])


async def go_on(folder, watch=lambda _tally: None):
    with RunFolder.begin(folder, HEAD) as begun:
        return await run(Engine(), CASES, begun, watch, threading.Event())


def complete(folder):
    rows = (folder / ROWS).read_bytes().splitlines()
    return sorted(Row.of_line(line).index for line in rows) == list(range(60))


@pytest.fixture
def limited():
    """Sets how large a file may grow: a disk that is full from there on."""
    resource = pytest.importorskip("resource", reason="the system has no limits")
    before, sent = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, sent)


@pytest.mark.parametrize("room", [300, 1000, 5000, 20_001])
async def test_a_row_counts_once_it_is_stored_and_the_run_goes_on_when_there_is_room(tmp_path, limited, room):
    folder, seen = tmp_path / "run", []
    limited(room)
    with pytest.raises(RunError, match=r"cannot be written: File too large; .*the same command then resumes") as told:
        await go_on(folder, seen.append)
    limited(-1)
    assert str(folder) in str(told.value)
    stored = len(list(read_rows(folder)))
    assert stored == (seen[-1].done if seen else 0)
    assert stored < 60
    assert await go_on(folder) == "complete"
    assert complete(folder)


HALF_BEGUN = [
    (),
    ("doubleread.lock",),
    ("doubleread.lock", f"{RECORD}.draft"),
    ("doubleread.lock", f".{RECORD}.part-1-2"),
]


@pytest.mark.parametrize("left", HALF_BEGUN)
async def test_a_run_that_was_killed_before_its_head_was_written_is_begun_again(tmp_path, left):
    for name in left:
        (tmp_path / name).write_bytes(b"" if name == "doubleread.lock" else b'{"format":')
    assert await go_on(tmp_path) == "complete"
    assert complete(tmp_path)


async def test_what_killed_processes_left_goes(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f".{RECORD}.part-{gone.pid}-7").write_bytes(b"half")
    (tmp_path / f".{RECORD}.part-{os.getpid()}-0").write_bytes(b"being written")
    await go_on(tmp_path)
    assert {one.name for one in tmp_path.iterdir() if one.name.startswith(".")} == {f".{RECORD}.part-{os.getpid()}-0"}


@pytest.mark.skipif(sys.platform != "linux", reason="pipes, devices and limits as Linux has them")
@pytest.mark.parametrize("name", [RECORD, ROWS, BATCH])
async def test_files_of_a_run_may_be_anything(tmp_path, name):
    await go_on(tmp_path / "good")
    odd = odd_things(tmp_path / "odd", "")
    for kind in (*FILES, *odd):
        folder = tmp_path / kind
        folder.mkdir()
        for one in (RECORD, ROWS):
            (folder / one).write_bytes((tmp_path / "good" / one).read_bytes())
        (folder / name).unlink(missing_ok=True)
        if kind in odd:
            (folder / name).symlink_to(odd[kind])
        else:
            (folder / name).write_bytes(FILES[kind])
        with patient():
            if name == BATCH:
                assert read_comparison(folder) is None
                continue
            for read in (read_record, lambda one: list(read_rows(one)), lambda one: RunFolder.begin(one, HEAD).close()):
                assert len(error_of(lambda: read(folder))) < 1500  # noqa: B023 - called at once
        assert kind in odd or (folder / name).exists()


SPOILERS = (b"1e999", b"9" * 400, b"NaN", b"null", b"[" * 5000, b'"\\ud800"', b"\xff\xfe", b"\0" * 40, b"}", b"\n", b"")


async def test_a_run_that_was_changed_anywhere_is_read_or_refused_with_one_clear_error(tmp_path):
    """300 changes, at places and of kinds that a seed picks."""
    await go_on(tmp_path)
    whole = {name: (tmp_path / name).read_bytes() for name in (RECORD, ROWS)}
    rng, told = random.Random(7), []
    for _ in range(300):
        name = rng.choice((RECORD, ROWS))
        start = rng.randrange(len(whole[name]))
        end = start + rng.choice((0, 1, 8, 4096))
        (tmp_path / name).write_bytes(whole[name][:start] + rng.choice(SPOILERS) + whole[name][end:])
        told.append(error_of(lambda: (read_record(tmp_path), list(read_rows(tmp_path)))))
        (tmp_path / name).write_bytes(whole[name])
    assert max(map(len, told)) < 1500
    assert sum(map(bool, told)) > 150
    assert all(f"{tmp_path}/" in one or not one for one in told)
