"""Two runs on the cases that both have."""

import json
from dataclasses import replace
from math import comb

import numpy as np
import pytest
from measures_kit import columns_of, of_case, rows_of, run_folder, simulated
from typer.testing import CliRunner
from verdicts_kit import verdict

from doubleread.cli.main import app
from doubleread.core.errors import DataError, RunError
from doubleread.core.task import Task
from doubleread.evals.metrics.comparison import RunComparison, compare_runs, mcnemar
from doubleread.evals.metrics.folders import compare_folders, evaluate_folder
from doubleread.evals.metrics.run_columns import read_columns
from doubleread.orchestrator.metrics import wilson

NAMES = ("before", "after")
FIRST = [
    verdict("1", "a", 0.9),
    verdict("2", "a", 0.3),
    verdict("3", "b", 0.2),
    verdict("4", "b", 0.8),
    verdict("5", "a", 0.4),
    verdict("only first", "a", 0.9),
]
SECOND = [
    verdict("5", "a", 0.7),  # fixed
    verdict("4", "b", 0.6),  # wrong in both
    verdict("3", "b", 0.7),  # broken
    verdict("2", "a", 0.95),  # fixed, and surer
    verdict("1", "a", 0.8),  # right in both
    verdict("only second", "a", 0.9),
    verdict("also", "a", 0.9),
]


def compared(first, second, **options):
    return compare_runs(columns_of(first), columns_of(second), NAMES, **{"draws": 200, **options})


@pytest.fixture(scope="module")
def found():
    return compared(FIRST, SECOND)


def figure(found, name):
    return next(one for one in found.differences if one.figure == name)


def test_what_was_fixed_and_broken(found):
    assert (found.n, found.only_first, found.only_second) == (5, 1, 2)
    assert [one.source for one in found.fixed] == ["2", "5"]
    assert [one.source for one in found.broken] == ["3"]
    assert (found.both_right, found.both_wrong, found.same) == (1, 1, 2)
    surest = found.fixed[0]
    assert (surest.label, surest.first, surest.second) == ("a", "b", "a")
    assert (surest.first_confidence, surest.second_confidence) == (pytest.approx(0.7), 0.95)


def test_the_differences_by_hand(found):
    accuracy = figure(found, "accuracy")
    assert (accuracy.first, accuracy.second, accuracy.difference.value) == pytest.approx((2 / 5, 3 / 5, 1 / 5))
    nll = figure(found, "nll")
    assert nll.first == pytest.approx(-np.log([0.9, 0.3, 0.8, 0.2, 0.4]).mean())
    assert nll.second == pytest.approx(-np.log([0.8, 0.95, 0.3, 0.4, 0.7]).mean())
    brier = figure(found, "brier")
    assert brier.first == pytest.approx(2 * np.mean(np.square([0.1, 0.7, 0.2, 0.8, 0.6])))
    assert figure(found, "cost").difference.value == 0


@pytest.mark.parametrize(("fixed", "broken"), [(2, 1), (9, 1), (0, 6), (5, 5), (0, 0), (30, 11)])
def test_mcnemar_is_exact(fixed, broken):
    n = fixed + broken
    tail = sum(comb(n, i) for i in range(min(fixed, broken) + 1)) / 2**n
    assert mcnemar(fixed, broken) == pytest.approx(min(1, 2 * tail))


def test_the_same_run_twice_is_the_same_and_not_without_doubt():
    found = compared(FIRST, FIRST)
    assert {one.change for one in found.differences} == {"same"}
    assert (found.fixed, found.broken, found.p_value) == ((), (), 1)
    doubt = wilson(0, 6).high
    assert (figure(found, "accuracy").difference.low, figure(found, "accuracy").difference.high) == (-doubt, doubt)


def test_a_clear_change_is_told_and_in_which_direction():
    truth = [verdict(str(i), "a", 0.9) for i in range(60)]
    worse = [verdict(str(i), "a", 0.4 if i % 3 else 0.9) for i in range(60)]
    dear = [v.model_copy(update={"cost_usd": 0.01}) for v in truth]
    found = compared(truth, worse)
    assert {d.figure: d.change for d in found.differences} == {
        "accuracy": "worse",
        "nll": "worse",
        "brier": "worse",
        "ece": "worse",
        "cost": "same",
    }
    assert found.p_value < 1e-6
    assert {d.change for d in compared(worse, truth).differences[:4]} == {"better"}
    assert figure(compared(truth, dear), "cost").change == "worse"


def test_chance_is_called_a_change_no_more_often_than_it_may():
    """Two panels of one quality, 200 pairs of runs in 30 groups of three: a 95 % interval misses 0 in about 5 %."""
    columns = columns_of([of_case(verdict(str(i), "a", 0.9), group=f"g{i // 3}") for i in range(90)])
    rng = np.random.default_rng(0)
    missed = 0
    for _ in range(200):
        ease = np.repeat(rng.uniform(0.3, 1, 30), 3)
        runs = []
        for _ in range(2):
            p = np.where(rng.random(90) < ease, 0.8, 0.2)
            runs.append(replace(columns, posterior=np.stack([p, 1 - p], axis=1)))
        missed += figure(compare_runs(*runs, NAMES, draws=200), "accuracy").change != "same"
    assert missed <= 21  # 10 expected; more has a chance of 0.1 %


def test_pairing_sees_what_two_samples_would_not():
    first = simulated(200, seed=4)
    second = list(first)
    for i in range(0, 200, 25):  # eight cases get surer of the truth
        label = first[i].case.label
        other = "b" if label == "a" else "a"
        second[i] = first[i].model_copy(update={"posterior": {label: 0.99, other: 0.01}})
    difference = figure(compared(first, second), "nll").difference
    assert difference.high < 0
    assert difference.high - difference.low < 0.1


def test_cases_that_cannot_be_judged_are_counted_and_left_out():
    relabelled = of_case(SECOND[0], label="b")
    unlabelled = of_case(SECOND[1], label=None)
    silent = SECOND[2].model_copy(update={"posterior": {}})
    found = compared(FIRST, [relabelled, unlabelled, silent, *SECOND[3:]])
    assert (found.n, found.relabelled, found.unlabelled, found.silent) == (2, 1, 1, 1)


def test_runs_of_different_tasks_are_refused():
    other = read_columns(iter(()), Task.of("leaves", ["a", "c"]), ())
    with pytest.raises(
        DataError, match="different tasks: 'ab' has the labels a, b, 'leaves' has a, c; compare runs wi"
    ):
        compare_runs(columns_of(FIRST), other, NAMES)


def test_labels_in_another_order_must_be_read_with_one_task():
    ba = Task.model_validate({"id": "ab", "labels": [{"name": "b"}, {"name": "a"}]})
    turned = read_columns(iter(rows_of(SECOND)), ba, ())
    with pytest.raises(DataError, match="read the rows of both with the same task"):
        compare_runs(columns_of(FIRST), turned, NAMES)


def test_runs_without_a_shared_case_are_refused():
    with pytest.raises(DataError, match="before and after have no case to compare: 0 of their 6 and 1 cases are sh"):
        compared(FIRST, [verdict("elsewhere", "a", 0.9)])


@pytest.fixture
def folders(tmp_path):
    ba = Task.model_validate({"id": "ab", "labels": [{"name": "b"}, {"name": "a"}]})
    return run_folder(tmp_path / "first", FIRST), run_folder(tmp_path / "second", SECOND, task=ba)


def test_folders_are_compared_whatever_the_order_of_their_labels(folders, found):
    again = compare_folders(*folders)
    assert again.fixed == found.fixed
    assert [one.first for one in again.differences] == pytest.approx([one.first for one in found.differences])
    assert [one.second for one in again.differences] == pytest.approx([one.second for one in found.differences])


def test_a_folder_is_evaluated(folders):
    assert evaluate_folder(folders[0]).panel.accuracy.value == pytest.approx(3 / 6)


def test_a_run_that_is_not_complete_is_evaluated_with_a_warning(tmp_path):
    folder = run_folder(tmp_path / "run", FIRST)
    assert not any("not complete" in one for one in evaluate_folder(folder).warnings)
    lines = (folder / "rows.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "rows.jsonl").write_text("".join(lines[:4]), encoding="utf-8")
    half = evaluate_folder(folder)
    assert half.n == 4
    assert half.warnings[0] == "the run is not complete: 2 of 6 cases have no result yet"


def test_a_folder_that_holds_no_run_is_told(tmp_path):
    with pytest.raises(RunError, match="contains no run"):
        evaluate_folder(tmp_path)


def test_the_command_says_it_within_80_columns(folders, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = CliRunner().invoke(app, ["compare", *map(str, folders)])
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert "fixed (wrong, then right): 2; broken (right, then wrong): 1" in lines
    assert "right in both: 1; wrong in both: 1" in lines
    assert "McNemar's exact test of fixed against broken: p = 1" in lines
    assert any(line.split()[:3] == ["accuracy", "40.0", "%"] for line in lines)
    assert any(line.startswith("fixed ") for line in lines)
    assert max(map(len, lines)) <= 80


def test_the_command_lists_ten_cases_or_all(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    first = run_folder(tmp_path / "a", [verdict(f"case{i:02}", "a", 0.2) for i in range(14)])
    second = run_folder(tmp_path / "b", [verdict(f"case{i:02}", "a", 0.8) for i in range(14)])
    some = CliRunner().invoke(app, ["compare", str(first), str(second)]).stdout
    assert (some.count("\ncase"), "and 4 more: --all lists them" in some) == (10, True)
    assert CliRunner().invoke(app, ["compare", str(first), str(second), "--all"]).stdout.count("\ncase") == 14


def test_the_command_writes_json(folders):
    shown = CliRunner().invoke(app, ["compare", *map(str, folders), "--json"])
    found = RunComparison.model_validate_json(shown.stdout)
    assert [one.source for one in found.broken] == ["3"]
    assert json.loads(shown.stdout)["n"] == 5


def test_a_name_that_would_steer_the_terminal_does_not(tmp_path):
    evil = [of_case(verdict("x", "a", p), source="\x1b[2Jx[red]") for p in (0.2, 0.9)]
    folders = [run_folder(tmp_path / name, [v]) for name, v in zip("ab", evil, strict=True)]
    shown = CliRunner().invoke(app, ["compare", *map(str, folders)]).stdout
    assert "\x1b" not in shown
    assert "[2Jx[red]" in shown


def test_a_picture_that_a_run_holds_twice_is_one_case(found):
    again = compared([*FIRST, FIRST[0]], [*SECOND, SECOND[-1]])
    assert (again.n, again.only_first, again.only_second) == (found.n, found.only_first, found.only_second)
