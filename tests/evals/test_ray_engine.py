"""Runs on a real Ray cluster of this machine: the same verdicts, whoever dies meanwhile."""

import os
import subprocess
import sys
import threading
from importlib.util import find_spec

import pytest
from kit import photo
from ray_kit import Frail

from doubleread.agents.vlm.vlm_options import VlmOptions
from doubleread.core.background import Background
from doubleread.core.errors import RunError
from doubleread.evals.datasets import read_labelled
from doubleread.evals.runs._ray_engine import RayEngine
from doubleread.evals.runs._ray_share import left_of, share
from doubleread.evals.runs.evaluate import RunChoice, evaluate
from doubleread.evals.runs.ray_worker import RunReader, facts
from doubleread.evals.runs.run_engine import NumberedCase
from doubleread.evals.runs.run_folder import RunFolder, read_record, read_rows
from doubleread.evals.runs.runner import run
from doubleread.panel import Panel
from doubleread.settings_sections import BudgetSettings

on_ray = pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not here: pip install -e '.[ray]'")


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    """Twelve pictures that no panel was fitted on, and one that was deleted since."""
    root = tmp_path_factory.mktemp("unseen")
    for hue, label in enumerate(("blue", "green", "red")):
        for i in range(4):
            photo(root / label / f"{label}-{i}.png", hue, seed=9500 + 100 * hue + i)
    photo(root / "red" / "red-9.png", 2, seed=9999)
    dataset = read_labelled(root)
    (root / "red" / "red-9.png").unlink()
    return dataset


@pytest.fixture
def spread(made, quick, tmp_path, monkeypatch):
    """The panel, set to run on two workers, and where they find this package and these tests."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.chdir(tmp_path)  # Ray shows the workers the folder it was started in, before all others
    settings = quick.model_copy(update={"run": quick.run.model_copy(update={"engine": "ray", "in_flight": 3})})
    with Panel.load(made, settings=settings) as panel:
        yield panel


@pytest.fixture
def live(made, quick):
    with Panel.load(made, settings=quick) as panel:
        yield panel


def untimed(folder):
    """Its rows as plain data, without what the clock says."""

    def without(data):
        if isinstance(data, dict):
            return {key: without(value) for key, value in data.items() if key != "seconds"}
        return [without(value) for value in data] if isinstance(data, list | tuple) else data

    return [without(row.model_dump()) for row in read_rows(folder)]


@pytest.mark.integration
@on_ray
def test_a_run_begun_here_goes_on_on_ray_and_has_the_rows_of_a_run_here(live, spread, unseen, tmp_path, capfd):
    assert evaluate(live, unseen, RunChoice(tmp_path / "here")).end == "complete"
    evaluate(live, unseen, RunChoice(tmp_path / "both", limit=3))
    seen = []
    ended = evaluate(spread, unseen, RunChoice(tmp_path / "both"), watch=seen.append)
    assert (ended.end, seen[0].done, seen[-1].fresh) == ("complete", 3, 10)
    assert untimed(tmp_path / "both") == untimed(tmp_path / "here")
    assert read_record(tmp_path / "both").settings["run"]["engine"] == "local"  # as it was begun
    (gone,) = (row.unread for row in read_rows(tmp_path / "both") if row.unread)
    assert (gone.source, gone.code) == ("red/red-9.png", "missing")
    assert not sys.modules["ray"].is_initialized()
    assert capfd.readouterr() == ("", "")


@pytest.mark.integration
@on_ray
def test_a_worker_that_dies_is_replaced_and_only_the_case_that_kills_again_and_again_is_given_up(
    live, spread, unseen, tmp_path, capfd
):
    marked = [*unseen.cases]
    marked[4] = marked[4].model_copy(update={"metadata": {"always": "yes"}})
    marked[7] = marked[7].model_copy(update={"metadata": {"once": str(tmp_path / "killed")}})
    dataset = unseen.model_copy(update={"cases": tuple(marked)})
    evaluate(live, dataset, RunChoice(tmp_path / "here"))
    begun = evaluate(live, dataset, RunChoice(tmp_path / "there", limit=1))
    engine = RayEngine(spread, Frail)
    with RunFolder.begin(begun.folder, read_record(begun.folder)) as folder, Background() as background:
        cases = [NumberedCase(place, case) for place, case in enumerate(marked)]
        assert background.call(run, engine, cases, folder, lambda _tally: None, threading.Event()) == "complete"
    assert capfd.readouterr() == ("", "")
    here, there = untimed(tmp_path / "here"), untimed(tmp_path / "there")
    assert (tmp_path / "killed").exists()
    assert [row for row in there if row["index"] != 4] == [row for row in here if row["index"] != 4]
    assert there[4]["unread"]["code"] == "failure"
    assert "3 workers died while they read it" in there[4]["unread"]["problem"]
    begun_on_ray = RunChoice(tmp_path / "there", retry=True)
    assert evaluate(live, dataset, begun_on_ray).end == "complete"
    assert untimed(tmp_path / "there") == here


_INTERRUPTED = """
import os, signal, sys
from pathlib import Path
from doubleread.evals.datasets import read_labelled
from doubleread.evals.runs.evaluate import RunChoice, evaluate
from doubleread.panel import Panel
from doubleread.settings import load_settings

panel, photos, out, cache = sys.argv[1:]
spread = {"run": {"engine": "ray", "in_flight": 1}, "ray": {"workers": 1}, "encoder": {"cache_dir": cache}}

def watch(tally):
    if tally.fresh == 1:
        os.killpg(0, signal.SIGINT)  # as a terminal does: everyone gets it

with Panel.load(panel, settings=load_settings(None, spread)) as loaded:
    print(evaluate(loaded, read_labelled(photos), RunChoice(Path(out)), watch=watch).end)
"""


@pytest.mark.integration
@on_ray
@pytest.mark.skipif(os.name == "nt", reason="Windows knows no SIGINT for a group of processes")
def test_an_interruption_reaches_the_run_and_not_the_workers(made, unseen, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = unseen.cases[0].path.parents[1]
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore::UserWarning",
            "-c",
            _INTERRUPTED,
            made,
            folder,
            tmp_path / "run",
            tmp_path / "cache",
        ],
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.stdout, done.stderr) == ("interrupted\n", "")
    rows = list(read_rows(tmp_path / "run"))
    assert 1 <= len(rows) < 12
    assert all(row.verdict for row in rows)


# -- without a cluster --------------------------------------------------------------------------------------------


def test_what_a_run_may_spend_and_ask_is_divided(quick):
    server = VlmOptions(model="m", in_flight=3, requests_per_minute=90)
    budget = BudgetSettings(max_cost_usd=6.0, max_calls=7)
    part = share(quick.model_copy(update={"budget": budget, "vlm": {"far": server}}), 3)
    assert (part.budget.max_cost_usd, part.budget.max_calls) == (2.0, 2)
    assert (part.vlm["far"].in_flight, part.vlm["far"].requests_per_minute) == (1, 30)
    free = share(quick.model_copy(update={"vlm": {"far": VlmOptions(model="m", in_flight=7)}}), 3)
    assert (free.budget, free.vlm["far"].in_flight, free.vlm["far"].requests_per_minute) == (quick.budget, 2, None)
    assert left_of(part, 1.5, 1).budget == BudgetSettings(max_cost_usd=0.5, max_calls=1)
    assert left_of(part, 2.5, 2).budget == BudgetSettings(max_cost_usd=1e-9, max_calls=1)
    assert left_of(free, 2.5, 2) == free
    with pytest.raises(RunError, match=r"2 calls .* are too few for 3 workers"):
        share(quick.model_copy(update={"budget": BudgetSettings(max_calls=2)}), 3)


@on_ray
def test_what_cannot_be_done_on_ray_is_told_before_the_run_is_begun(made, quick, unseen, tmp_path):
    run_settings = quick.run.model_copy(update={"engine": "ray", "record": str(tmp_path / "answers.jsonl")})
    recording = quick.model_copy(update={"run": run_settings})
    with Panel.load(made, settings=recording) as panel, pytest.raises(RunError, match="recorded with several workers"):
        evaluate(panel, unseen, RunChoice(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


async def test_a_worker_tells_why_it_would_not_answer_as_it_should(live, made, quick, tmp_path):
    settings, reader = quick.model_dump(mode="json"), RunReader()
    assert "cannot load the panel" in await reader.open(str(tmp_path), settings, facts(live))
    problem = await reader.open(str(made), settings, {**facts(live), "archive": "v9"})
    await reader.close()
    assert "would give other answers: it has archive" in problem
    assert "instead of v9" in problem
    assert "panel" not in problem
