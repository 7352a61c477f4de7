"""A new metric is one module and one row: everything that shows metrics then shows it."""

import csv
import json

import numpy as np
import pytest
from measures_kit import run_folder, simulated
from sweep_kit import recorded
from typer.testing import CliRunner
from verdicts_kit import AB

from doubleread.cli.main import app
from doubleread.cli.tables import comparison_table, figures, show_trust
from doubleread.core.trust import TrustProfile
from doubleread.evals.metrics.evaluation import Evaluation
from doubleread.evals.metrics.folders import compare_folders
from doubleread.evals.metrics.gates import parse_gate
from doubleread.evals.panel_evaluation import judge_run
from doubleread.evals.sweep import sweep, variants_of
from doubleread.evals.sweep.sweep_output import flat
from doubleread.evals.trust_comparison import compare
from doubleread.orchestrator.metrics import declared
from doubleread.orchestrator.trust.grading import Graded
from doubleread.orchestrator.trust.profile import profile

MODULE = """
import numpy as np

from doubleread.orchestrator.metrics.metric import PERCENT, CaseMetric

SHORTFALL = CaseMetric(
    name="shortfall",
    title="mean shortfall",
    symbol="short",
    about="what the true label lacks to 1",
    better="lower",
    unit="share",
    display=PERCENT,
    of=lambda P, y: 1 - P[np.arange(len(y)), y],
)
"""


@pytest.fixture
def metric(tmp_path, monkeypatch):
    """Another package with one module, and one row in the table of entry points."""
    place = tmp_path / "site"
    about = place / "plus_metric-1.0.dist-info"
    about.mkdir(parents=True)
    (place / "plus_metric.py").write_text(MODULE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: plus-metric\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[doubleread.metrics]\nshortfall = plus_metric:SHORTFALL\n")
    monkeypatch.syspath_prepend(place)
    return declared()[-1]


@pytest.fixture
def run(tmp_path):
    return run_folder(tmp_path / "run", simulated(40, groups=10))


def test_it_is_in_the_evaluation_and_survives_the_file(metric, run):
    judged = judge_run(run)
    found = judged.evaluation.judged.metric("shortfall")
    assert metric.name == "shortfall"
    assert found.low < found.value < found.high
    written = json.loads((run / "evaluation.json").read_text())
    assert written["panel"]["further"]["shortfall"]["value"] == found.value
    assert Evaluation.model_validate(written) == judged.evaluation


def test_it_is_in_summary_report_and_table(metric, run):
    found = judge_run(run).evaluation.judged.metric("shortfall")
    shown = f"{100 * found.value:.1f} %"
    summary = (run / "summary.md").read_text()
    assert f"| mean shortfall | {shown} |" in summary
    assert "| agent, calibrated | n | accuracy | ECE | log-loss | mean shortfall |" in summary
    report = (run / "report.html").read_text()
    assert "<th>mean shortfall</th>" in report
    assert f"<td>{shown}</td>" in report
    rows = list(csv.DictReader((run / "cases.csv").read_text().splitlines()))
    assert np.mean([float(row["metric:shortfall"]) for row in rows]) == pytest.approx(found.value)


def test_a_bound_can_be_asked_for(metric, run):
    gates = [parse_gate("shortfall=0.001", "at most"), parse_gate("shortfall=1", "at most")]
    assert [one.passed for one in judge_run(run, gates=gates).gates] == [False, True]


def test_runs_are_compared_by_it(metric, run):
    (found,) = [one for one in compare_folders(run, run).differences if one.figure == "shortfall"]
    assert (found.change, found.difference.value) == ("same", 0)
    assert "mean shortfall" in CliRunner().invoke(app, ["compare", str(run), str(run)]).output


def test_a_sweep_has_it(metric, tmp_path):
    record = recorded(tmp_path / "panel")
    found = sweep(record, variants_of(record.first, ["referral=0.1"]), draws=20)
    assert 0 < found.judged[0].figures["shortfall"].value < 1
    assert found.judged[1].difference["shortfall"].value == 0
    assert {"shortfall", "shortfall_low", "change_shortfall"} <= set(next(flat(found)))


def test_trust_has_it(metric, capsys):
    P = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    y = np.array([0, 0, 1, 1])
    made = profile("x", AB, P, y)
    assert made.further["shortfall"].value == pytest.approx((0.1 + 0.2 + 0.3 + 0.6) / 4)
    assert TrustProfile.model_validate_json(made.model_dump_json()) == made
    assert figures(made)["shortfall"] == made.further["shortfall"].value
    show_trust([made], ())
    assert "short %" in capsys.readouterr().out
    side = Graded(tuple("abcd"), tuple("abcd"), y, {"x": P})
    compared = compare(side, side, ("one", "two"), draws=20)
    assert "short" in [one.figure for one in compared.differences]
    assert comparison_table(compared).row_count == 6


def test_without_it_files_are_as_ever(run):
    judge_run(run)
    assert "further" not in (run / "evaluation.json").read_text()
    assert "metric:" not in (run / "cases.csv").read_text().splitlines()[0]
    P = np.array([[0.9, 0.1], [0.3, 0.7]])
    assert "further" not in profile("x", AB, P, np.array([0, 1])).model_dump_json()
