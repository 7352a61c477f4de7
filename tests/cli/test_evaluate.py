"""``doubleread evaluate``, ``report`` and ``compare``, and the assertion for test suites, on a real panel."""

import json

import pytest
from kit import photo

from doubleread.core.errors import DataError, RunError
from doubleread.evals.runs.run_folder import read_record, read_rows
from doubleread.panel import Panel
from doubleread.testing import assert_panel


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    """Eighteen pictures that the panel was not fitted on, with a column of the data."""
    root = tmp_path_factory.mktemp("unseen")
    lines = ["path,label,site"]
    for hue, label in enumerate(("blue", "green", "red")):
        for i in range(6):
            photo(root / f"{label}-{i}.png", hue, seed=9000 + 100 * hue + i)
            lines.append(f"{label}-{i}.png,{label},{'north' if i % 2 else 'south'}")
    (root / "data.csv").write_text("\n".join(lines), encoding="utf-8")
    return root / "data.csv"


@pytest.fixture(scope="module")
def run(made, quick, unseen, tmp_path_factory):
    """A run of them, made in Python."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    with Panel.load(made, settings=quick) as panel:
        assert_panel(panel, unseen, at_least={"accuracy": 0.5}, run=folder)
    return folder


def test_a_run_ends_in_a_report_and_figures(doubleread, offline, made, unseen, tmp_path):
    out = tmp_path / "run"
    ended = doubleread("evaluate", unseen, "--panel", made, "-o", out, "--by", "site", "--fail-under", "accuracy=0.5")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1] == str(out / "report.html")
    assert "✓ accuracy" in ended.out
    assert {file.name for file in out.iterdir()} >= {
        "run.json", "rows.jsonl", "report.html", "evaluation.json", "summary.md", "cases.csv",
    }  # fmt: skip
    figures = json.loads((out / "evaluation.json").read_text())
    assert (figures["n"], {one["value"] for one in figures["subgroups"]}) == (18, {"north", "south"})
    again = doubleread("evaluate", unseen, "--panel", made, "-o", out)
    assert (again.code, "diagnosing: 18/18" in again.err) == (0, True)


def test_a_figure_that_is_not_reached_is_exit_code_1(doubleread, run):
    ended = doubleread("report", run, "--fail-over", "nll=0")
    assert ended.code == 1
    assert "✗ nll" in ended.out
    assert "there is no figure 'acuracy'" in doubleread("report", run, "--fail-under", "acuracy=0.9").err
    assert "set a bound 'at most 0.9'" in doubleread("report", run, "--fail-under", "ece=0.9").err


def test_shards_are_joined_into_the_whole(doubleread, offline, made, unseen, run, tmp_path):
    for i in (1, 2):
        part = doubleread("evaluate", unseen, "--panel", made, "-o", tmp_path / f"{i}", "--shard", f"{i}/2")
        assert part.code == 0, part.err
    ended = doubleread("report", tmp_path / "1", tmp_path / "2", "-o", tmp_path / "whole")
    assert ended.code == 0, ended.err
    assert [row.case for row in read_rows(tmp_path / "whole")] == [row.case for row in read_rows(run)]
    assert read_record(tmp_path / "whole").cases == 18
    assert (
        "name each shard of one run once"
        in doubleread("report", tmp_path / "1", tmp_path / "1", "-o", tmp_path / "twice").err
    )
    assert "with -o" in doubleread("report", tmp_path / "1", tmp_path / "2").err
    assert "3/2" in doubleread("evaluate", unseen, "--panel", made, "--shard", "3/2").err


def test_what_cannot_be_run_is_told(doubleread, offline, made, unseen, photos, tmp_path):
    ended = doubleread("evaluate", photos, "--panel", made, "-o", tmp_path / "run")
    assert ended.code == 2
    assert "it has learned from all 30 images" in ended.err
    assert "holds no panel" in doubleread("evaluate", unseen, "--panel", tmp_path).err
    assert "contains no run" in doubleread("report", tmp_path).err


# -- in a test suite ----------------------------------------------------------------------------------------------


def test_a_panel_that_is_good_enough_passes(made, quick, unseen, run):
    with Panel.load(made, settings=quick) as panel:
        found = assert_panel(panel, unseen, at_least={"accuracy": 0.5}, at_most={"unread": 0}, run=run)
    assert found.n == 18


def test_a_panel_that_is_not_names_every_figure(made, quick, unseen, run):
    with Panel.load(made, settings=quick) as panel:
        with pytest.raises(
            AssertionError, match=r"on 18 images:\n  nll .* is not at most 0\n  ece .* is not at most 0"
        ):
            assert_panel(panel, unseen, at_least={"accuracy": 0.5}, at_most={"nll": 0, "ece": 0}, run=run)
        with pytest.raises(AssertionError, match=r"accuracy 1 .* but not surely so"):
            assert_panel(panel, unseen, at_least={"accuracy": 0.95}, sure=True, run=run)
        with pytest.raises(RunError, match="nothing is asked"):
            assert_panel(panel, unseen)
        with pytest.raises(DataError, match="there is no figure 'f1'"):
            assert_panel(panel, unseen, at_least={"f1": 0.5})
