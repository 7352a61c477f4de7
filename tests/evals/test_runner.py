"""A run goes on where it was stopped, whatever the stop left behind."""

import json

import pytest
from kit import case_of
from verdicts_kit import ScriptedPanel

from doubleread.core.verdict import Unread
from doubleread.evals.runner import run

CASES = [case_of(f"{i}.png", label="ab"[i % 2]) for i in range(6)]
NAMES = [case.source for case in CASES]


def go(panel, file, *, cases=CASES, fitted="one", progress=lambda done, total: None):
    return run(panel, cases, file, fitted=fitted, progress=progress)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "verdicts.jsonl"


@pytest.fixture
def stopped(file):
    """Three cases done, then Ctrl-C."""
    with pytest.raises(KeyboardInterrupt):
        go(ScriptedPanel(patience=3), file)
    return file


def test_a_run_writes_a_line_a_case_and_keeps_the_order(file):
    panel, told = ScriptedPanel(bad=("2.png",)), []
    results = go(panel, file, progress=lambda done, total: told.append((done, total)))
    assert panel.asked == NAMES
    assert [r.source if isinstance(r, Unread) else r.case.source for r in results] == NAMES
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert rows[0] == {"fitted": "one"}
    assert [row["case"] for row in rows[1:]] == [case.id for case in CASES]
    assert ["unread" in row for row in rows[1:]] == [False, False, True, False, False, False]
    assert told == [(i, 6) for i in range(7)]


def test_a_stopped_run_goes_on_where_it_stopped(stopped):
    panel, told = ScriptedPanel(), []
    results = go(panel, stopped, progress=lambda done, total: told.append((done, total)))
    assert panel.asked == NAMES[3:]
    assert [r.case.source for r in results] == NAMES
    assert told == [(3, 6), (4, 6), (5, 6), (6, 6)]


def test_a_finished_run_asks_nobody_and_changes_nothing(file):
    first = go(ScriptedPanel(bad=("2.png",)), file)
    before, panel = file.read_bytes(), ScriptedPanel()
    assert go(panel, file) == first
    assert panel.asked == []
    assert file.read_bytes() == before


@pytest.mark.parametrize("tail", [b'{"case": "0a', b"\xff\xfe", b'{"case": "' + b"0" * 64 + b'"}'])
def test_a_torn_last_line_is_cut_off(stopped, tail):
    stopped.write_bytes(stopped.read_bytes() + tail)
    panel = ScriptedPanel()
    assert len(go(panel, stopped)) == 6
    assert panel.asked == NAMES[3:]
    assert all(json.loads(line) for line in stopped.read_text().splitlines())


@pytest.mark.parametrize("line", [b"", b"not JSON", b"[]", b"1", b"{}", b'{"case": "x", "verdict": {}}', b"\xff"])
def test_a_damaged_line_costs_its_case_only(stopped, line):
    lines = stopped.read_bytes().split(b"\n")
    stopped.write_bytes(b"\n".join([*lines[:2], line, *lines[3:]]))
    panel = ScriptedPanel()
    assert [r.case.source for r in go(panel, stopped)] == NAMES
    assert panel.asked == [NAMES[1], *NAMES[3:]]
    assert len(stopped.read_text().splitlines()) == 7


@pytest.mark.parametrize("head", [b"", b"{", b"[]", b"null", b'{"fitted": "another"}', b"\xff\xfe"])
def test_a_file_of_another_panel_or_of_none_is_begun_anew(stopped, head):
    lines = stopped.read_bytes().split(b"\n")
    stopped.write_bytes(b"\n".join([head, *lines[1:]]))
    panel = ScriptedPanel()
    go(panel, stopped)
    assert panel.asked == NAMES
    assert len(stopped.read_text().splitlines()) == 7


@pytest.mark.parametrize("contents", [b"", b'{"fitted": "one"}', b"\n"])
def test_a_file_without_a_whole_line_is_begun_anew(file, contents):
    file.write_bytes(contents)
    go(ScriptedPanel(), file)
    assert len(file.read_text().splitlines()) == 7


def test_unread_cases_are_results_that_stay(file):
    go(ScriptedPanel(bad=("2.png",)), file)
    panel = ScriptedPanel()
    assert go(panel, file)[2] == Unread(source="2.png", code="empty", problem="the file has no bytes")
    assert panel.asked == []


def test_the_same_picture_twice_is_read_once(file):
    panel = ScriptedPanel()
    assert len(go(panel, file, cases=[*CASES, CASES[0]])) == 7
    assert panel.asked == NAMES


def test_a_case_is_shown_as_it_is_known_now(file, tmp_path):
    go(ScriptedPanel(), file)
    moved = [case.model_copy(update={"path": tmp_path / case.source}) for case in CASES]
    assert [r.case.path for r in go(ScriptedPanel(), file, cases=moved)] == [case.path for case in moved]
