"""The paper's figures again, and doubleread on the same answers, without a leak."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from paper_support import write_record
from reports_kit import words_of
from typer.testing import CliRunner

from doubleread.cli.main import app
from doubleread.core.errors import DataError
from doubleread.evals.paper import load_paper_panel
from doubleread.evals.reproduction._published_figures import System, differences, scores
from doubleread.evals.reproduction.paper_replay import readings_of, replay
from doubleread.evals.reproduction.paper_tables import PublishedFigure, paper_rows, published
from doubleread.evals.reproduction.reproduction_report import AGENTS, page, reproduce_paper
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.learning.arbitration import Learning

REAL = os.environ.get("DOUBLEREAD_PAPER", "")
Y = np.array([0, 1, 0, 1])


def system(name, *tops):
    """Cases with this probability for their true label."""
    rows = [[p, 1 - p] if y == 0 else [1 - p, p] for p, y in zip(tops, Y, strict=True)]
    return System(name, np.array(rows)[None])


def test_a_figure_matches_within_the_rounding_of_what_was_published():
    def row(figure, found):
        return PublishedFigure(case="zero-shot", agent="GPT", figure=figure, published=0.5078, found=found)

    assert row("f1_macro", 0.50784).matches
    assert not row("f1_macro", 0.50787).matches
    assert {figure for case in published().values() for agent in case.values() for figure in agent} == {
        "accuracy",
        "f1_macro",
        "mean_confidence",
        "mean_seconds",
        "mean_cost",
    }


async def test_every_published_figure_is_looked_for(tmp_path):
    rows = await paper_rows(write_record(tmp_path))
    assert len(rows) == sum(len(figures) for case in published().values() for figures in case.values())
    seconds = [row for row in rows if row.figure == "mean_seconds"]
    assert all(row.found == pytest.approx(1.5) for row in seconds)
    assert not any(row.matches for row in seconds)


async def test_a_record_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"case1_zero_shot\.csv"):
        await paper_rows(tmp_path)


def test_scores_and_differences_by_hand():
    good, bad = system("good", 0.8, 0.8, 0.8, 0.4), system("bad", 0.6, 0.4, 0.6, 0.4)
    found = scores(good, Y)
    assert found.accuracy.value == 0.75
    assert found.nll.value == pytest.approx(-np.log([0.8, 0.8, 0.8, 0.4]).mean())
    assert found.brier.value == pytest.approx(2 * np.mean([0.04, 0.04, 0.04, 0.36]))
    assert sum(b.n for b in found.reliability) == 4
    [difference] = differences(good, {"bad": bad}, Y)
    assert difference.accuracy.value == 0.25
    assert difference.nll.value == pytest.approx(np.mean(np.log([0.8, 0.8, 0.8, 0.4]) - np.log([0.6, 0.4, 0.6, 0.4])))
    [same] = differences(good, {"itself": good}, Y)
    assert (same.accuracy.low, same.accuracy.high, same.nll.value) == (0, 0, 0)


async def replayed(folder, rounds=2, repeats=1):
    panel = load_paper_panel(folder, "re-evaluated")
    readings = await readings_of(panel, AGENTS)
    learning, policy = Learning(folds=2, rule="log-pool"), Policy(max_rounds=rounds)
    return readings, replay(panel.task, AGENTS, readings, learning=learning, policy=policy, repeats=repeats, folds=3)


async def test_every_image_is_judged_once_a_repeat_and_a_second_look_is_paid_only_where_it_is_taken(tmp_path):
    readings, found = await replayed(write_record(tmp_path, 80))
    assert not np.isnan(found.posterior).any()
    assert found.posterior.sum(axis=2) == pytest.approx(1)
    assert (found.posterior.argmax(axis=2) == readings.labels).mean() > 0.8
    assert set(np.round(found.cost_usd[~found.looked_again], 6)) <= {0.002}
    assert set(np.round(found.cost_usd[found.looked_again], 6)) <= {0.004}
    _, once = await replayed(tmp_path, rounds=1)
    assert not once.looked_again.any()
    assert set(np.round(once.cost_usd.ravel(), 6)) == {0.002}


async def test_answers_that_say_nothing_are_worth_nothing(tmp_path):
    """Were a case judged by a fit that had seen it, chance would not be all there is."""
    readings, found = await replayed(write_record(tmp_path, 160, informative=False))
    right = (found.posterior.argmax(axis=2) == readings.labels).mean()
    assert right == pytest.approx(0.25, abs=3.5 * np.sqrt(0.25 * 0.75 / 160))
    p = found.posterior[:, np.arange(160), readings.labels]
    assert -np.log(p).mean() > np.log(4) - 0.05


async def test_the_report_is_one_page_that_needs_nothing_else(tmp_path):
    found = await reproduce_paper(
        write_record(tmp_path, 48), learning=Learning(folds=2), policy=Policy(), repeats=1, folds=2
    )
    assert found.scores[0].name == "doubleread"
    assert {d.than for d in found.differences} == {s.name for s in found.scores[1:]}
    html = page(found)
    assert "paper&#39;s orchestrator" in html
    assert html.count("<svg") == 2
    assert {"word-ece", "word-log-loss", "word-second-look"} <= words_of(html)
    known = ("https://arxiv.org/abs/2507.10571", "http://www.w3.org/2000/svg")
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) <= set(known)


def test_from_the_command_line(tmp_path):
    write_record(tmp_path, 48)
    (tmp_path / "s.toml").write_text('[trust]\nfolds = 2\n[fusion]\nrule = "log-pool"\n')
    words = ["reproduce", "paper", "--data", str(tmp_path), "-o", str(tmp_path / "out"), "--repeats", "1"]
    words += ["--settings", str(tmp_path / "s.toml")]
    ended = CliRunner().invoke(app, words, env={"COLUMNS": "100"})
    assert ended.exit_code == 0, ended.output
    assert "published figures do not come out of this record" in ended.output
    assert "The same answers, orchestrated (1 × 5-fold, 48 images)" in ended.output
    saved = json.loads((tmp_path / "out" / "reproduction.json").read_text())
    assert saved["images"] == 48
    assert (tmp_path / "out" / "index.html").exists()


@pytest.mark.skipif(not REAL, reason="set DOUBLEREAD_PAPER to the folder with the paper's CSV files")
async def test_the_real_record_gives_every_published_figure_again():
    rows = await paper_rows(Path(REAL))
    assert [row for row in rows if not row.matches] == []
