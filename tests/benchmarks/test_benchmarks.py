import json
import sys
import types
from pkgutil import resolve_name

import pytest

from benchmarks import Figure, Skipped, data
from benchmarks.__main__ import main
from benchmarks.bench_command import cli_help_seconds
from benchmarks.registry import BENCHMARKS


def good():
    yield Figure(name="good.accuracy", value=0.97, low=0.95, high=0.98, n=600, target=">= 0.965")
    yield Figure(name="good.plain", value=1.0)


def bad():
    yield Figure(name="bad.ece", value=0.2, target="<= 0.11", note="[raw] scores")


def broken():
    yield Figure(name="broken.first", value=1.0)
    raise ZeroDivisionError("nothing to divide by")


def absent():
    raise Skipped("set DOUBLEREAD_LEAVES=/path/to/leaves")


@pytest.fixture
def registry(monkeypatch):
    module = types.ModuleType("doubleread_bench_for_tests")
    for function in (good, bad, broken, absent):
        setattr(module, function.__name__, function)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    names = ("good", "bad", "broken", "absent", "lost")
    return {name: f"{module.__name__}:{name}" for name in names}


def run(arguments, registry, capsys):
    code = main(arguments, registry)
    captured = capsys.readouterr()
    return code, {row["name"]: row for row in map(json.loads, captured.out.splitlines())}, captured.err


def test_every_figure_is_one_json_line_and_failures_do_not_stop_the_rest(registry, capsys):
    code, rows, table = run(["broken", "absent", "lost", "good", "bad"], registry, capsys)
    assert code == 0
    assert list(rows) == ["broken.first", "broken", "absent", "lost", "good.accuracy", "good.plain", "bad.ece"]
    assert rows["broken"]["error"] == "ZeroDivisionError: nothing to divide by"
    assert rows["lost"]["error"].startswith("AttributeError")
    assert rows["absent"]["skipped"] == "set DOUBLEREAD_LEAVES=/path/to/leaves"
    assert rows["good.accuracy"]["met"] is True
    assert rows["bad.ece"]["met"] is False
    assert "met" not in rows["good.plain"]
    assert all("seconds" in row for row in rows.values())
    for words in (
        "good.accuracy",
        "0.95 – 0.98",
        "✓ met",
        "✗ missed",
        "[raw] scores",
        "skipped: set",
        "nothing to divide",
    ):
        assert words in table


@pytest.mark.parametrize(("names", "code"), [(["good"], 0), (["absent"], 0), (["bad"], 1), (["broken"], 1)])
def test_strict_fails_where_a_target_was_missed(registry, capsys, names, code):
    assert run([*names, "--strict"], registry, capsys)[0] == code
    assert run(names, registry, capsys)[0] == 0


def test_without_names_all_are_run_and_they_can_be_listed(registry, capsys):
    assert {"good.plain", "bad.ece", "absent"} <= set(run([], registry, capsys)[1])
    assert main(["--list"], registry) == 0
    assert capsys.readouterr().out.split() == ["absent", "bad", "broken", "good", "lost"]


def test_an_unknown_name_is_refused(registry, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["better"], registry)
    assert "unknown benchmark 'better'; known: absent" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("value", "target", "met"),
    [
        (0.965, ">= 0.965", True),
        (0.9649, ">=0.965", False),
        (0.11, "<= 0.11", True),
        (2, "< 2", False),
        (0.5, "> 1e-3", True),
        (1.0, "== 1", True),
        (None, ">= 0.9", None),
        (0.3, "", None),
    ],
)
def test_targets(value, target, met):
    assert Figure(name="x", value=value, target=target).met is met


def test_a_target_that_says_nothing():
    with pytest.raises(ValueError, match="not a comparison"):
        Figure(name="x", value=1.0, target="about 3")


def test_a_figure_survives_json():
    figure = Figure(name="x", value=0.4, target="<= 0.5", n=3)
    assert Figure.model_validate_json(figure.model_dump_json()) == figure


def test_the_leaves_are_skipped_with_a_remedy(monkeypatch, tmp_path):
    data.leaves.cache_clear()
    monkeypatch.delenv(data.LEAVES, raising=False)
    with pytest.raises(Skipped, match="set DOUBLEREAD_LEAVES=/path/to/leaves"):
        data.leaves()
    monkeypatch.setenv(data.LEAVES, str(tmp_path))
    with pytest.raises(Skipped, match=r"no manifest\.csv"):
        data.leaves()


def test_every_row_of_the_table_can_be_loaded():
    assert len(BENCHMARKS) > 40
    for place in BENCHMARKS.values():
        assert callable(resolve_name(place))


def test_the_command_line_answers_at_once():
    middle, quickest = cli_help_seconds()
    assert 0 < quickest.value <= middle.value
    assert (middle.low, middle.n) == (quickest.value, 7)
