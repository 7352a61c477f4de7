"""``doubleread trust``: confirm, update, compare and show, on a copy of a small panel."""

import json
import os
import re
import resource
import shutil
import signal
import sys
from datetime import UTC, datetime

import pytest
from kit import photo, unspaced

from doubleread.cli.main import main
from doubleread.core.reading import Retraction
from doubleread.core.verdict import Verdict
from doubleread.panel import Panel
from doubleread.panel.outcomes import OutcomeEntry, add_entries, read_outcomes

NAMES = ("blue", "green", "red")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    return [photo(folder / f"{i}-[{NAMES[i % 3]}].png", i % 3, seed=9000 + i) for i in range(6)]


@pytest.fixture(scope="module")
def told(made, quick, pictures):
    """What ``diagnose --json`` says to them."""
    with Panel.load(made, settings=quick) as panel:
        return [verdict.model_dump_json() for verdict in panel.diagnose_many(pictures)]


@pytest.fixture
def work(made, told, pictures, tmp_path, offline):
    """A folder with a panel, verdicts and labels."""
    shutil.copytree(made, tmp_path / "panel")
    (tmp_path / "verdicts.jsonl").write_text("\n".join(told) + "\n")
    rows = [f"{path},{NAMES[i % 3]}" for i, path in enumerate(pictures)]
    (tmp_path / "labels.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    return tmp_path


def flat(text):
    """The text, however it was broken into lines."""
    return " ".join(text.split())


def confirm(doubleread, work, *more, labels="labels.csv"):
    return doubleread(
        *("trust", "confirm", work / "verdicts.jsonl", "--labels", work / labels, "--panel", work / "panel", *more)
    )


def test_verdicts_are_confirmed_from_a_table(doubleread, work, told):
    ended = confirm(doubleread, work, "--sampling", "all", "--reviewer", "ann", "--note", "lab")
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1] == "6 confirmed, 0 corrected"
    standing = read_outcomes(work / "panel").standing
    assert [o.case for o in standing] == [Verdict.model_validate_json(line).case.id for line in told]
    assert {(o.reviewer, o.note, o.sampling) for o in standing} == {("ann", "lab", "all")}


def test_rows_that_cannot_be_used_are_named_and_the_rest_is_kept(doubleread, work, pictures, told, photos):
    own = photos / "red" / "red-001.png"
    seen = doubleread("diagnose", own, "--panel", work / "panel", "--json")
    (work / "verdicts.jsonl").write_text("\n".join([*told, seen.out.strip(), '{"half": ']) + "\n")
    ids = [Verdict.model_validate_json(line).case.id for line in told]
    rows = [f"{ids[0]},blue", f"{pictures[1].name},mauve", f"{own},red", "nowhere.png,red", f"{pictures[2].name},blue"]
    (work / "labels.csv").write_text("\n".join(rows) + "\n")
    ended = confirm(doubleread, work)
    said = unspaced(ended.err)
    assert ended.code == 1
    assert ended.out.splitlines()[-1] == "1 confirmed, 1 corrected"
    assert unspaced("label 'mauve' is not one of task") in said
    assert unspaced("among the panel's own cases") in said
    assert unspaced("nowhere.png: no verdict on it") in said
    assert unspaced("line 8: no verdict") in said
    assert unspaced("stored as selected cases") in said
    assert len(read_outcomes(work / "panel").standing) == 2


def with_room(room, *arguments):
    """Exit code and output of a command in a process whose files may have so many bytes, as on a full disk."""
    reading, writing = os.pipe()
    if pid := os.fork():
        os.close(writing)
        with os.fdopen(reading, "rb") as file:
            said = file.read().decode()
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), said
    code = 99
    try:
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        sys.stdout = sys.stderr = os.fdopen(os.dup(writing), "w")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        main([str(argument) for argument in arguments])
    except SystemExit as error:
        sys.stdout.flush()
        code = int(error.code or 0)
    finally:
        os._exit(code)


def confirming(work):
    return "trust", "confirm", work / "verdicts.jsonl", "--labels", work / "labels.csv", "--panel", work / "panel"


def test_only_what_is_stored_is_counted_when_the_disk_is_full(doubleread, work):
    path, long = work / "panel" / "outcomes.jsonl", "n" * 400_000  # there is room to open the archive
    add_entries(work / "panel", [OutcomeEntry(retraction=Retraction(case="0", note=long, time=datetime.now(UTC)))])
    size, counts = path.stat().st_size, []
    for room in (1000, 3000, 6000):
        code, said = with_room(size + room, *confirming(work), "--no-archive")
        stored = len(read_outcomes(work / "panel").standing)
        counts.append(stored)
        assert code == 1, said
        assert f"{stored} confirmed, 0 corrected" in said
        assert f"{stored} of 6 outcomes are stored" in flat(said)
        assert "cannot be written: File too large" in flat(said)
    assert counts == sorted(set(counts))
    assert confirm(doubleread, work).out.splitlines()[-1] == "6 confirmed, 0 corrected"
    assert path.read_text().count("\n") == 1 + 6


def test_the_archive_joins_later_where_the_disk_was_full(doubleread, work):
    size = (work / "panel" / "store" / "archive.sqlite3").stat().st_size
    code, said = with_room(size, *confirming(work))
    assert code == 1
    assert "6 confirmed, 0 corrected" in said
    joined = int(re.search(r"(\d) cases were added to the panel's archive", flat(said))[1])
    assert f"{6 - joined} cases are stored as outcomes, but not in the archive" in flat(said)
    again = confirm(doubleread, work)
    assert again.code == 0
    assert "6 cases were added to the panel's archive" in flat(again.err)
    assert len(read_outcomes(work / "panel").history) == 6


def test_one_verdict_is_confirmed_with_a_label_and_taken_back(doubleread, work, told):
    many = doubleread("trust", "confirm", work / "verdicts.jsonl", "--label", "red", "--panel", work / "panel")
    assert many.code == 2
    assert "holds 6 verdicts; --label is for one" in many.err
    neither = doubleread("trust", "confirm", work / "verdicts.jsonl", "--panel", work / "panel")
    assert "--labels FILE for several verdicts, or --label NAME for one" in neither.err
    (work / "one.jsonl").write_text(told[0])
    arguments = ("--label", "blue", "--panel", work / "panel")
    assert doubleread("trust", "confirm", work / "one.jsonl", *arguments).code == 0
    case = Verdict.model_validate_json(told[0]).case.id
    assert doubleread("trust", "retract", case, "--panel", work / "panel").out == "1 taken back\n"
    assert read_outcomes(work / "panel").standing == ()
    assert doubleread("trust", "retract", case, "--panel", work / "panel").code == 2


def test_a_table_with_half_a_row_is_refused(doubleread, work):
    (work / "labels.csv").write_text("a.png,red\nb.png\n")
    ended = confirm(doubleread, work)
    assert ended.code == 2
    assert "row 2: give a case id or image path, and a label" in ended.err


def test_what_is_no_text_is_refused(doubleread, work):
    (work / "labels.csv").write_bytes(b"\xff\xfe\x00a")
    ended = confirm(doubleread, work)
    assert (ended.code, "is not UTF-8 text" in ended.err) == (2, True)
    assert confirm(doubleread, work, labels="nowhere.csv").code == 2


def test_update_rehearses_learns_and_goes_back(doubleread, work):
    panel = work / "panel"
    nothing = doubleread("trust", "update", panel)
    assert (nothing.code, "confirm verdicts first" in nothing.err) == (2, True)
    confirm(doubleread, work, "--sampling", "all")
    rehearsed = doubleread("trust", "update", panel, "--dry-run")
    assert rehearsed.code == 0, rehearsed.err
    assert rehearsed.out.splitlines()[-1] == "dry run: nothing was written"
    assert "version 2 compared with version 1, after calibration" in rehearsed.out
    assert not (panel / "trust" / "v2").exists()
    learned = doubleread("trust", "update", panel)
    assert "trust version 2 is used from now on (kept: 1; return with --to-version)" in learned.out
    assert "and 6 confirmed outcomes" in learned.err
    shown = doubleread("trust", "show", panel)
    assert "calibration images and confirmed outcomes (version 2)" in shown.out
    assert "6 confirmed outcomes, 0 of them new since this version" in shown.err
    assert "version 2" not in doubleread("trust", "show", f"{panel}@1").out
    doubleread("trust", "export", f"{panel}@1", "-o", work / "old.json")
    assert {p["version"] for p in json.loads((work / "old.json").read_text())} == {1}
    assert doubleread("trust", "update", panel, "--to-version", "1").out == "trust version 1 is used again\n"
    assert "version 2" not in doubleread("trust", "show", panel).out
    assert "no version 9" in doubleread("trust", "update", panel, "--to-version", "9").err


def test_versions_panels_and_outcomes_are_compared(doubleread, work, made):
    panel = work / "panel"
    refused = doubleread("trust", "compare", panel, f"{panel}@outcomes")
    assert refused.code == 2
    assert "no confirmed outcomes to test it on" in flat(refused.err)
    confirm(doubleread, work, "--sampling", "all")
    against = doubleread("trust", "compare", panel, f"{panel}@outcomes")
    assert against.code == 0, against.err
    assert "15 cases" in flat(against.err)
    assert "6 other cases" in flat(against.err)
    doubleread("trust", "update", panel)
    ended = doubleread("trust", "compare", f"{panel}@1", f"{panel}@2", "--draw", work / "change.svg")
    assert ended.code == 0, ended.err
    assert "both tested on the same 21 cases" in flat(ended.err)
    assert all(figure in ended.out for figure in ("accuracy", "log-loss", "Brier", "ECE", "wrong and sure"))
    drawn = (work / "change.svg").read_text()
    assert drawn.startswith("<svg")
    assert "logistic · panel@2" in drawn
    other = doubleread("trust", "compare", made, f"{panel}@1")
    assert "both tested on the same 15 cases" in flat(other.err)
    assert "worse" not in other.out
    assert "better" not in other.out
    odd = doubleread("trust", "compare", panel, f"{panel}@best")
    assert "write PANEL, PANEL@2 for a version" in flat(odd.err)


def test_drift_is_shown(doubleread, work, told):
    confirm(doubleread, work, "--sampling", "all")
    quiet = doubleread("trust", "show", work / "panel")
    assert "no sign of drift (strongest: " in quiet.err
    verdict = Verdict.model_validate_json(told[0])
    others = [
        verdict.model_copy(update={"case": verdict.case.model_copy(update={"id": f"{i:064x}"})}) for i in range(25)
    ]
    (work / "verdicts.jsonl").write_text("".join(v.model_dump_json() + "\n" for v in others))
    wrong = next(name for name in NAMES if name != verdict.label)
    (work / "wrong.csv").write_text("".join(f"{v.case.id},{wrong}\n" for v in others))
    confirm(doubleread, work, labels="wrong.csv")
    alarmed = flat(doubleread("trust", "show", work / "panel").err)
    assert "! drift: panel has become over-confident since about 20" in alarmed
    assert "less accurate" not in alarmed  # selected cases say nothing of accuracy
    with (work / "panel" / "outcomes.jsonl").open("a") as file:
        file.write('{"outcome": ')
    assert "line is cut short" in flat(doubleread("trust", "show", work / "panel").err)


def test_the_history_is_json_lines(doubleread, work):
    confirm(doubleread, work)
    lines = (work / "panel" / "outcomes.jsonl").read_text().splitlines()
    assert all(set(json.loads(line)) == {"outcome", "chain"} for line in lines)
    assert max(map(len, lines)) < 3000


def test_agents_are_shown_as_the_panel_uses_them_and_those_left_out_with_the_reason(doubleread, saved, panel):
    out = doubleread("trust", "show", saved).out
    assert all(name in out for name in ("after calibration", "influence", "benefit"))
    assert "weight" not in out
    for profile in panel.profiles:
        row = next((line for line in out.splitlines() if line.startswith(f"{profile.agent} ")), "")
        if profile.agent in panel.left_out:
            assert f"{profile.agent} is not used: {panel.left_out[profile.agent]}" in out
            assert row == ""
        elif profile.round == 1:
            assert f"{100 * (profile.calibrated_accuracy or profile.accuracy).value:.1f} (" in row
