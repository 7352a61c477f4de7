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


def relabelled(unseen, name, old, new, many=6, add=()):
    """The same data with ``new`` in place of ``old`` in as many rows."""
    file = unseen.with_name(name)
    lines = unseen.read_text(encoding="utf-8").replace(f",{old},", f",{new},", many).splitlines()
    file.write_text("\n".join([*lines, *add]) + "\n", encoding="utf-8")
    return file


def test_labels_that_the_panel_does_not_know_are_in_headline_figures_and_exit_code(
    doubleread, offline, made, unseen, tmp_path
):
    data, out = relabelled(unseen, "capitals.csv", "red", "Red"), tmp_path / "run"
    ended = doubleread("evaluate", data, "--panel", made, "-o", out)
    assert ended.code == 2
    assert ended.out.startswith("On 12 of 18 unseen images, the panel was right on ")
    said = " ".join(ended.out.split())
    assert "the others are left out: 6 have labels that the panel does not know." in said
    assert "On 12 of 18 unseen images, after calibration" in said
    assert "6 of 18 images have labels that the panel does not know: Red (6)" in ended.err
    assert "--map Red=red" in ended.err
    assert "--allow-left-out accepts that" in ended.err
    figures = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert figures["left_out"] == {"unknown-label": 6}
    assert figures["panel"]["n"] == 12
    assert "On 12 of 18 unseen images" in (out / "report.html").read_text(encoding="utf-8")
    assert "On 12 of 18 unseen images" in (out / "summary.md").read_text(encoding="utf-8")
    assert doubleread("report", out).code == 2
    assert doubleread("report", out, "--allow-left-out").code == 0
    assert doubleread("report", out, "--allow-left-out", "--fail-over", "left-out=0.2").code == 1
    mapped = doubleread("evaluate", data, "--panel", made, "-o", tmp_path / "mapped", "--map", "Red=red")
    assert mapped.code == 0, mapped.err
    assert "of 18 unseen images" in mapped.out


def test_a_few_left_out_are_told_but_no_failure(doubleread, offline, made, unseen, tmp_path):
    rows = [f"red-{i % 6}.png,red,south" for i in range(10)]  # the same images again
    data = relabelled(unseen, "few.csv", "none", "none", add=[*rows, "gone.png,red,north"])
    ended = doubleread("evaluate", data, "--panel", made, "-o", tmp_path / "run", "--limit", "18")
    assert ended.code == 0, ended.err
    assert "gone.png" in ended.err


def test_rows_that_cannot_be_used_count_as_left_out(doubleread, offline, made, unseen, tmp_path):
    data = relabelled(unseen, "broken.csv", "none", "none", add=["gone.png,red,north", "red-0.png,nan,north"])
    out = tmp_path / "run"
    ended = doubleread("evaluate", data, "--panel", made, "-o", out)
    assert ended.code == 2
    assert ended.out.startswith("On 18 of 20 unseen images")
    assert "2 are listed in the data but cannot be used" in " ".join(ended.out.split())
    assert "the label 'nan' is a word for a missing value" in ended.err
    assert json.loads((out / "evaluation.json").read_text(encoding="utf-8"))["left_out"] == {"unusable-row": 2}


def test_data_without_a_label_of_the_panel_are_refused_before_reading(doubleread, offline, made, unseen, tmp_path):
    file = unseen.with_name("foreign.csv")
    file.write_text("path,label\nred-0.png,RED\nred-1.png,RED\n", encoding="utf-8")
    ended = doubleread("evaluate", file, "--panel", made, "-o", tmp_path / "run")
    assert ended.code == 2
    assert "all 2 images have labels that the panel does not know: RED (2)" in ended.err
    assert "--map RED=red" in ended.err
    assert not (tmp_path / "run").exists()
    assert doubleread("evaluate", file, "--panel", made, "-o", tmp_path / "run", "--map", "red=x").code == 2


def test_the_assertion_fails_where_too_many_are_left_out(quick, made, unseen):
    data = relabelled(unseen, "assertion.csv", "red", "Red")
    with Panel.load(made, settings=quick) as panel:
        with pytest.raises(AssertionError, match="only 12 of 18 images are counted: 6 have labels that the panel does"):
            assert_panel(panel, data, at_least={"accuracy": 0})
        assert assert_panel(panel, data, at_least={"accuracy": 0}, allow_left_out=True).left_out_share == 6 / 18
