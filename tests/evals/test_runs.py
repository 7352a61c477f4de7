"""Runs: begun, stopped, killed, gone on with; nothing lost and nothing done twice."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from kit import photo, photo_folder
from verdicts_kit import verdict

from doubleread.core.errors import DataError, PanelError, RunError
from doubleread.core.opinion import Abstention
from doubleread.core.verdict import Unread, Verdict
from doubleread.evals.datasets import read_labelled
from doubleread.evals.runs.evaluate import RunChoice, evaluate
from doubleread.evals.runs.row import Row
from doubleread.evals.runs.run_engine import CaseResult, NumberedCase
from doubleread.evals.runs.run_folder import ROWS, RunFolder, read_record, read_rows
from doubleread.evals.runs.run_record import RunRecord, Shard
from doubleread.evals.runs.runner import run
from doubleread.evals.runs.selection import select
from doubleread.panel import Panel


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    """Eighteen pictures that no panel was fitted on, and one file that is no picture."""
    root = tmp_path_factory.mktemp("unseen")
    for hue, label in enumerate(("blue", "green", "red")):
        for i in range(6):
            photo(root / label / f"{label}-{i}.png", hue, seed=9000 + 100 * hue + i)
    (root / "red" / "red-9.png").write_bytes(b"\x89PNG\r\n\x1a\n, or so it seems")
    return read_labelled(root)


@pytest.fixture
def live(made, quick):
    with Panel.load(made, settings=quick) as panel:
        yield panel


def rows_of(folder):
    return list(read_rows(folder))


def untimed(verdict):
    """Without what the clock says, and as plain data."""
    data = verdict.model_dump()
    data["seconds"] = 0
    for answer in (*data["opinions"], *data["abstentions"]):
        answer["seconds"] = 0
    return data


# -- the whole job ------------------------------------------------------------------------------------------------


def test_every_case_has_a_row_with_the_verdict_that_the_panel_gives(live, unseen, tmp_path):
    seen = []
    ended = evaluate(live, unseen, RunChoice(tmp_path / "run"), watch=seen.append)
    rows = rows_of(ended.folder)
    assert (ended.end, [row.index for row in rows]) == ("complete", list(range(19)))
    assert [row.case for row in rows] == list(unseen.cases)
    (bad,) = (row for row in rows if row.verdict is None)
    assert (bad.case.source, bad.unread.code) == ("red/red-9.png", "corrupt")
    for row in rows[:3]:
        assert untimed(row.verdict) == untimed(live.diagnose(row.case))
    assert (seen[0].done, seen[-1].done, seen[-1].total, seen[-1].unread) == (0, 19, 19, 1)
    record = read_record(ended.folder)
    assert (record.cases, record.task, record.archive) == (19, live.task, live.about().archive)
    assert record.trust == live.profiles
    assert record.provenance["packages"]["doubleread"]


def test_what_is_done_is_not_done_again(live, unseen, tmp_path):
    evaluate(live, unseen, RunChoice(tmp_path / "run", limit=5))
    before = (tmp_path / "run" / ROWS).read_bytes()
    assert len(before.splitlines()) == 5
    seen = []
    evaluate(live, unseen, RunChoice(tmp_path / "run"), watch=seen.append)
    assert (seen[0].done, seen[-1].fresh) == (5, 14)
    assert (tmp_path / "run" / ROWS).read_bytes().startswith(before)
    seen.clear()
    evaluate(live, unseen, RunChoice(tmp_path / "run"), watch=seen.append)
    assert [tally.fresh for tally in seen] == [0]
    evaluate(live, unseen, RunChoice(tmp_path / "run", retry=True), watch=seen.append)
    assert seen[-1].fresh == 1  # the file that is no picture
    assert len(rows_of(tmp_path / "run")) == 19


def test_a_run_without_a_folder_is_found_again(live, unseen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = evaluate(live, unseen, RunChoice(limit=3))
    assert first.folder.parts[0] == "runs"
    assert (tmp_path / "runs" / "latest").resolve() == (tmp_path / first.folder).resolve()
    again = evaluate(live, unseen, RunChoice(limit=4))
    assert again.folder == first.folder
    part = evaluate(live, unseen, RunChoice(shard=Shard(number=2, of=2)))
    assert part.folder != first.folder
    assert part.folder.name.endswith("-2of2")


def test_shards_make_up_the_whole(live, unseen, tmp_path):
    parts = [
        rows_of(evaluate(live, unseen, RunChoice(tmp_path / f"{i}", shard=Shard(number=i, of=3))).folder)
        for i in (1, 2, 3)
    ]
    assert sorted(row.index for part in parts for row in part) == list(range(19))
    assert len({read_record(tmp_path / f"{i}").digest for i in (1, 2, 3)}) == 1


def test_another_panel_or_other_cases_do_not_go_into_the_same_run(live, unseen, tmp_path, made, quick):
    evaluate(live, unseen, RunChoice(tmp_path / "run", limit=2))
    fewer = unseen.model_copy(update={"cases": unseen.cases[:10]})
    with pytest.raises(RunError, match=r"contains another run .* choose a new folder"):
        evaluate(live, fewer, RunChoice(tmp_path / "run"))
    with pytest.raises(RunError, match="the whole of this run, not shard 1/2"):
        evaluate(live, unseen, RunChoice(tmp_path / "run", shard=Shard(number=1, of=2)))
    other = quick.model_copy(update={"run": quick.run.model_copy(update={"in_flight": 2})})
    with Panel.load(made, settings=other) as same:  # how many at once decides nothing
        assert evaluate(same, unseen, RunChoice(tmp_path / "run")).end == "complete"


def test_a_panel_that_was_never_saved_cannot_be_judged(fitted, unseen, tmp_path):
    with pytest.raises(PanelError, match="save it"):
        evaluate(fitted, unseen, RunChoice(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


# -- which cases --------------------------------------------------------------------------------------------------


def never(_case):
    return False


def test_the_test_split_goes_first_and_a_limit_is_taken_evenly(unseen):
    cases = [case.model_copy(update={"split": "test" if i % 2 else "support"}) for i, case in enumerate(unseen.cases)]
    chosen = select(cases, never)
    assert [case for _, case in chosen.chosen] == cases[1::2]
    assert chosen.notes == ("split test: 9 of 19 cases",)
    assert len(select(cases, never, split="all").chosen) == 19
    some = select(unseen.cases, never, limit=6)
    assert [case.label for _, case in some.chosen] == ["blue", "blue", "green", "green", "red", "red"]
    with pytest.raises(DataError, match="no case has the split 'val'; splits: support, test"):
        select(cases, never, split="val")


def test_what_the_panel_learned_from_is_left_out(live, dataset, unseen):
    both = [*dataset.cases, *unseen.cases[:4]]
    chosen = select(both, live.learned_from)
    assert [case for _, case in chosen.chosen] == list(unseen.cases[:4])
    assert "30 cases left out: the panel has learned from these images" in chosen.notes[0]
    with pytest.raises(DataError, match="it has learned from all 30 images"):
        select(dataset.cases, live.learned_from)


# -- the folder ---------------------------------------------------------------------------------------------------


@pytest.fixture
def record(live):
    return RunRecord(
        name="x",
        cases=3,
        digest="d",
        panel="p" * 64,
        task=live.task,
        trust=(),
        archive="v1",
        settings={},
        provenance={},
        seed=0,
        started="2026-01-01T00:00:00Z",
    )


SAID = [verdict(str(i), "a", 0.9, agent=0.8) for i in range(4)]


def row(index):
    return Row(index=index, case=SAID[index].case, verdict=SAID[index])


def test_a_torn_last_line_is_cut_off_and_its_case_run_again(record, tmp_path):
    with RunFolder.begin(tmp_path, record) as folder:
        folder.append(row(0))
        folder.append(row(1))
    rows = tmp_path / ROWS
    rows.write_bytes(rows.read_bytes()[:-30])
    assert [one.index for one in read_rows(tmp_path)] == [0]
    with RunFolder.begin(tmp_path, record) as folder:
        assert folder.done == {0: "verdict"}
        folder.append(row(1))
    assert rows_of(tmp_path) == [row(0), row(1)]


def test_of_a_case_with_several_rows_the_last_counts_and_rows_come_in_the_order_of_the_data(record, tmp_path):
    failed = Row(index=2, case=SAID[2].case, unread=Unread(source="x", code="corrupt", problem="cut short"))
    with RunFolder.begin(tmp_path, record) as folder:
        for one in (failed, row(1), row(2), row(0)):
            folder.append(one)
        assert folder.done == {0: "verdict", 1: "verdict", 2: "verdict"}
    assert rows_of(tmp_path) == [row(0), row(1), row(2)]


def test_damage_in_the_midst_is_told_and_left_alone(record, tmp_path):
    with RunFolder.begin(tmp_path, record) as folder:
        folder.append(row(0))
    rows = tmp_path / ROWS
    rows.write_bytes(b'{"index": 7, "nonsense"}\n' + rows.read_bytes())
    before = rows.read_bytes()
    for read in (lambda: RunFolder.begin(tmp_path, record), lambda: rows_of(tmp_path)):
        with pytest.raises(RunError, match=r"damaged at .*delete this line"):
            read()
    assert rows.read_bytes() == before


def test_a_folder_of_something_else_is_left_alone(record, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match=r"contains no run \(no run.json\); choose a new folder"):
        RunFolder.begin(tmp_path, record)
    with pytest.raises(RunError, match="make one with `doubleread evaluate`"):
        read_record(tmp_path)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(RunError, match="is not the record of a run"):
        read_record(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json", "thesis.txt"]


def test_one_process_writes(record, tmp_path):
    with RunFolder.begin(tmp_path, record), pytest.raises(RunError, match="another process is writing"):
        RunFolder.begin(tmp_path, record)
    RunFolder.begin(tmp_path, record).close()


# -- stopping -----------------------------------------------------------------------------------------------------


class ScriptedEngine:
    """Answers in the order it is told to, one result a case."""

    def __init__(self, results, after=lambda _place: None):
        self.results, self.after, self.taken = results, after, []

    async def answers(self, cases):
        for numbered in cases:
            self.taken.append(numbered.place)
            yield CaseResult(numbered, self.results[numbered.place])
            self.after(numbered.place)


CASES = [NumberedCase(i, one.case) for i, one in enumerate(SAID)]


async def test_stopping_begins_nothing_new(record, tmp_path):
    stop = threading.Event()
    engine = ScriptedEngine(SAID, after=lambda place: place == 1 and stop.set())
    with RunFolder.begin(tmp_path, record) as folder:
        assert await run(engine, CASES, folder, lambda _tally: None, stop) == "interrupted"
    assert engine.taken == [0, 1]
    assert [one.index for one in read_rows(tmp_path)] == [0, 1]


async def test_a_case_that_the_budget_did_not_suffice_for_has_no_row(record, tmp_path):
    poor = SAID[1].model_copy(update={"abstentions": (Abstention(agent="dear", cause="budget"),)})
    engine = ScriptedEngine([SAID[0], poor, SAID[2], SAID[3]])
    with RunFolder.begin(tmp_path, record) as folder:
        assert await run(engine, CASES, folder, lambda _tally: None, threading.Event()) == "budget"
        assert folder.done == {0: "verdict"}
        rich = ScriptedEngine(SAID)
        assert await run(rich, CASES, folder, lambda _tally: None, threading.Event()) == "complete"
    assert (engine.taken, rich.taken) == ([0, 1], [1, 2, 3])


async def test_what_failed_in_passing_is_tried_again_when_asked(record, tmp_path):
    late = SAID[1].model_copy(update={"abstentions": (Abstention(agent="far", cause="timeout"),)})
    lost = Unread(source="x", code="failure", problem="gone")
    quiet, go = (lambda _tally: None), threading.Event()
    with RunFolder.begin(tmp_path, record) as folder:
        await run(ScriptedEngine([SAID[0], late, lost, SAID[3]]), CASES, folder, quiet, go)
        assert folder.done == {0: "verdict", 1: "degraded", 2: "unread", 3: "verdict"}
        again = ScriptedEngine(SAID)
        assert await run(again, CASES, folder, quiet, go) == "complete"
        assert again.taken == []
        assert await run(again, CASES, folder, quiet, go, retry=True) == "complete"
        assert again.taken == [1, 2]
    assert all(isinstance(one.verdict, Verdict) for one in read_rows(tmp_path))


_SLOW = """
import asyncio, sys
from pathlib import Path
from doubleread.evals.datasets import read_labelled
from doubleread.evals.runs.evaluate import RunChoice, evaluate
from doubleread.panel import Panel
from doubleread.settings import load_settings

class Slow(Panel):
    async def _read(self, case, how):
        await asyncio.sleep(float(sys.argv[4]))
        return await super()._read(case, how)

settings = load_settings(None, {"run": {"in_flight": 3}, "encoder": {"cache_dir": sys.argv[5]}})
with Slow.load(sys.argv[1], settings=settings) as panel:
    watch = lambda tally: print(tally.done, flush=True)
    print(evaluate(panel, read_labelled(sys.argv[2]), RunChoice(Path(sys.argv[3])), watch=watch).end, flush=True)
"""


@pytest.fixture
def slowly(made, quick, tmp_path):
    """Starts a run of 24 pictures in a process of its own, three at a time; ``seconds`` for each."""
    photos = photo_folder(tmp_path / "photos", 8)
    for i, file in enumerate(sorted(photos.rglob("*.png"))):  # not those that the panel was fitted on
        photo(file, ("blue", "green", "red").index(file.parent.name), seed=10**6 + i)

    def start(seconds):
        return subprocess.Popen(
            [sys.executable, "-c", _SLOW, made, photos, tmp_path / "run", str(seconds), quick.encoder.cache_dir],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    return start


def until(process, done):
    """Waits for so many cases."""
    while int(process.stdout.readline()) < done:
        pass


def finish(process):
    with process:
        *_, last = process.stdout.read().split()
    return last


@pytest.mark.integration
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_a_killed_run_keeps_every_row_and_goes_on(slowly, tmp_path):
    process = slowly(0.2)
    until(process, 4)
    process.kill()
    process.communicate()
    kept = (tmp_path / "run" / ROWS).read_bytes()
    assert kept.count(b"\n") >= 4
    assert finish(slowly(0)) == "complete"
    lines = (tmp_path / "run" / ROWS).read_bytes().splitlines()
    assert sorted(json.loads(line)["index"] for line in lines) == list(range(24))
    assert (tmp_path / "run" / ROWS).read_bytes().startswith(kept[: kept.rfind(b"\n") + 1])


@pytest.mark.integration
@pytest.mark.skipif(os.name == "nt", reason="Windows knows no SIGINT for another process")
def test_the_first_interruption_drains_and_the_second_gives_up(slowly, tmp_path):
    process = slowly(0.5)
    until(process, 3)
    process.send_signal(signal.SIGINT)
    assert finish(process) == "interrupted"
    drained = (tmp_path / "run" / ROWS).read_bytes().count(b"\n")
    assert 4 <= drained <= 9  # those in flight came in, the rest was not begun
    process = slowly(30)
    until(process, drained)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert finish(process) == "interrupted"
    assert (tmp_path / "run" / ROWS).read_bytes().count(b"\n") == drained  # nobody waited for half a minute
    assert finish(slowly(0)) == "complete"
    assert len(rows_of(tmp_path / "run")) == 24
