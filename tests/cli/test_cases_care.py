"""``doubleread cases``: what the commands of care print, where, and with which exit code."""

import io
import json
import sys
from datetime import UTC, datetime

import pytest
from rag_support import bare_case, image_case, units
from rich.console import Console

from doubleread.cli.cases_table import print_cases
from doubleread.core.stored import StoredCase
from doubleread.rag.stores.archive import Archive
from doubleread.render.preview import Preview

DIM = 8
CASES = [bare_case(i, "ab"[i % 2], group=f"g{i // 4}") for i in range(12)]
ONE = CASES[0].id[:8]


@pytest.fixture
def archive(tmp_path):
    """The folder of an archive of twelve cases."""
    with Archive(tmp_path / "store", "enc-1", dim=DIM, index=False, name="first") as store:
        store.add(CASES, units(12, DIM))
    return tmp_path / "store"


def label_of(folder, case):
    with Archive.existing(folder) as store:
        return [one.label for one in store.get([case.id])]


@pytest.fixture
def answer(monkeypatch):
    """What the person at the keyboard types."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


# -- looking ------------------------------------------------------------------------------------------------------


def test_cases_are_listed_and_shown(doubleread, archive):
    ended = doubleread("cases", "list", archive, "--label", "a", "--limit", "2")
    assert ended.code == 0
    assert "2 of 6 cases" in ended.err
    lines = [json.loads(line) for line in doubleread("cases", "list", archive, "--json").out.splitlines()]
    assert {line["case"]["id"] for line in lines} == {case.id for case in CASES}
    shown = doubleread("cases", "show", archive, ONE, CASES[1].id)
    assert shown.code == 0
    assert all(word in shown.out for word in (CASES[0].id, CASES[1].id, "0.png", "added"))
    assert "▀" not in shown.out
    told = json.loads(doubleread("cases", "show", archive, ONE, "--json").out)
    assert [one["what"] for one in told["history"]] == ["added"]


LONG = "a/long/way/down/to/the/pictures/of/a/season/leaf-0001.png"


def listed(width):
    """Lines of the table of two cases, as a terminal of a width shows them; None: a pipe."""
    added = datetime(2026, 5, 1, 12, tzinfo=UTC)
    ones = [
        StoredCase(case=bare_case(1, "rust", group="plant-7").model_copy(update={"source": LONG}), added=added),
        StoredCase(case=bare_case(2, "scab"), added=added, tags=("macro", "wet"), origin="a season of leaves"),
    ]
    console = Console(file=io.StringIO(), width=width or 80, force_terminal=width is not None, color_system=None)
    print_cases(ones, console)
    return [line.rstrip() for line in console.file.getvalue().splitlines() if line.strip(" ─")]


@pytest.mark.parametrize(
    ("width", "columns"),
    [
        (60, ["id", "label", "group", "source", "added"]),
        (80, ["id", "label", "group", "tags", "source", "added"]),
        (140, ["id", "label", "group", "tags", "source", "added", "origin"]),
        (None, ["id", "label", "group", "tags", "source", "added", "origin"]),
    ],
)
def test_a_list_has_one_line_a_case_at_every_width(width, columns):
    head, first, second = listed(width)
    assert head.split() == columns
    assert first.split()[:2] == [bare_case(1).id[: 12 if width in (140, None) else 8], "rust"]
    assert (LONG in first) is (width in (140, None))
    assert "leaf-0001.png 2026-05-01" in first.replace("  ", " ")
    assert "2.png" in second
    assert all(len(line) <= (width or 1000) for line in (head, first, second))


def test_metadata_is_shown_as_it_is_and_hides_nothing(doubleread, tmp_path):
    with Archive(tmp_path / "store", "enc-1", dim=DIM, index=False) as store:
        store.add([bare_case(1, "rust", metadata={"label": "scab?", "[red]": "[bold]"})], units(1, DIM))
    shown = doubleread("cases", "show", tmp_path / "store", bare_case(1).id).out
    assert all(word in shown for word in ("rust", "scab?", "[red]", "[bold]"))


def test_stats_and_history(doubleread, archive):
    ended = doubleread("cases", "stats", archive)
    assert ended.code == 0
    assert "12 cases, 0 removed · v12-" in ended.out
    assert "12 of 12" in ended.out
    assert json.loads(doubleread("cases", "stats", archive, "--json").out)["labels"][0]["share"] == 0.5
    assert "12 changes · now v12-" in doubleread("cases", "history", archive).out
    assert "1 changes" in doubleread("cases", "history", archive, ONE).out


def test_a_picture_is_drawn_in_half_blocks(tmp_path):
    case = image_case(tmp_path, 1)
    text = Preview().file(case.path, case.id, 8)
    assert [len(line) for line in text.plain.splitlines()] == [8, 8, 8]
    first = text.get_style_at_offset(Console(), 0)
    assert first.color is not None

    case.path.unlink()
    assert Preview().file(case.path, case.id, 8) is None
    assert Preview().file(None, None, 8) is None


# -- correcting ---------------------------------------------------------------------------------------------------


def test_a_case_is_relabelled_and_the_change_taken_back(doubleread, archive):
    ended = doubleread("cases", "relabel", archive, ONE, "b", "--reviewer", "Ada", "--note", "lens")
    assert (ended.code, ended.out, ended.err) == (0, f"{CASES[0].id[:12]}: a → b\n", "")
    assert label_of(archive, CASES[0]) == ["b"]
    assert "Ada" in doubleread("cases", "history", archive, ONE).out
    assert "is b already" in doubleread("cases", "relabel", archive, ONE, "b").out
    assert "took back relabelled; it is a now" in doubleread("cases", "undo", archive).out
    assert label_of(archive, CASES[0]) == ["a"]


def test_a_new_label_is_allowed_and_pointed_out(doubleread, archive):
    ended = doubleread("cases", "relabel", archive, ONE, "typo")
    assert ended.code == 0
    assert "'typo' is a new label" in ended.err


def test_tags_are_given_and_taken(doubleread, archive):
    assert doubleread("cases", "tag", archive, ONE, CASES[1].id, "--add", "x").out == "2 cases changed\n"
    assert doubleread("cases", "tag", archive, ONE, "--add", "x").out == "0 cases changed\n"
    assert doubleread("cases", "tag", archive, ONE, "--remove", "x").out == "1 cases changed\n"
    ended = doubleread("cases", "tag", archive, ONE)
    assert (ended.code, ended.err) == (2, "error: no tag was named: give --add TAG or --remove TAG\n")


def test_deleted_cases_come_back_and_erased_ones_do_not(doubleread, archive, answer):
    assert doubleread("cases", "delete", archive, ONE).out == "1 cases removed\n"
    assert "1 were already" in doubleread("cases", "delete", archive, ONE).out
    assert CASES[0].id[:12] in doubleread("cases", "list", archive, "--removed").out
    assert "it is a now" in doubleread("cases", "undo", archive, ONE).out
    for text in ("", "n\n", "\n"):
        answer(text)
        refused = doubleread("cases", "delete", archive, ONE, "--erase")
        assert refused.code == 1
        assert "Erase 1 cases for good?" in refused.err
        assert label_of(archive, CASES[0]) == ["a"]
    assert "1 cases erased" in doubleread("cases", "delete", archive, ONE, "--erase", "--yes").out
    assert label_of(archive, CASES[0]) == []
    assert doubleread("cases", "undo", archive, ONE).code == 2
    assert "erased" in doubleread("cases", "history", archive, ONE).out


# -- keeping ------------------------------------------------------------------------------------------------------


def test_snapshots_are_made_listed_and_returned_to(doubleread, archive):
    made = doubleread("cases", "snapshot", archive, "good", "--note", "as delivered")
    assert made.out.startswith("good: v12-")
    assert doubleread("cases", "snapshot", archive, "good").code == 2
    assert "as delivered" in doubleread("cases", "snapshots", archive).out
    doubleread("cases", "relabel", archive, ONE, "b")
    doubleread("cases", "delete", archive, CASES[1].id)
    assert doubleread("cases", "restore", archive, "good").out.startswith("2 cases changed back to v12-")
    assert (label_of(archive, CASES[0]), label_of(archive, CASES[1])) == (["a"], ["b"])
    doubleread("cases", "delete", archive, ONE, "--erase", "--yes")
    assert "1 cases of that state were erased" in doubleread("cases", "restore", archive, "good").err


def test_a_backup_is_an_archive_and_an_audit_says_if_it_is_sound(doubleread, archive, tmp_path):
    file = tmp_path / "copy" / "archive.sqlite3"
    assert doubleread("cases", "backup", archive, file).out.splitlines()[-1] == f"backup: {file}"
    assert doubleread("cases", "backup", archive, file).code == 2
    assert doubleread("cases", "audit", file.parent).out.startswith("sound: 12 changes and 12 embeddings checked")
    with Archive.existing(file.parent) as store, store.file.writing() as step:
        step.db.execute("update embeddings set row = zeroblob(32) where stamp = 3")
    ended = doubleread("cases", "audit", file.parent)
    assert (ended.code, ended.out) == (1, "")
    assert "not finite or not of length 1" in ended.err.replace("\n", " ")


# -- moving -------------------------------------------------------------------------------------------------------


def test_cases_travel_by_export_and_by_merging(doubleread, archive, tmp_path):
    ended = doubleread("cases", "export", archive, tmp_path / "out")
    assert (ended.code, ended.out.splitlines()[-1]) == (0, f"export: {tmp_path / 'out'}")
    new = tmp_path / "new"
    assert doubleread("cases", "import", new, tmp_path / "out").out == "12 cases added, 0 were there\n"
    doubleread("cases", "relabel", archive, ONE, "b")
    ended = doubleread("cases", "merge", new, archive)
    assert ended.out == "0 cases added, 11 were there, 1 with another label (kept the archive's own)\n"
    assert f"{CASES[0].id[:12]}: here a, there b" in ended.err
    assert label_of(new, CASES[0]) == ["a"]
    doubleread("cases", "merge", new, archive, "--theirs")
    assert label_of(new, CASES[0]) == ["b"]


# -- encoders -----------------------------------------------------------------------------------------------------


def test_an_archive_changes_its_encoder(doubleread, offline, tmp_path, answer):
    cases = [image_case(tmp_path, seed, label="a") for seed in range(5)]
    folder = tmp_path / "store"
    with Archive(folder, "enc-1", dim=DIM, index=False) as store:
        store.add(cases, units(5, DIM))
    data, gone = cases[4].path.read_bytes(), cases[4].path
    gone.unlink()
    ended = doubleread("cases", "reencode", folder, "--encoder", "colour-texture")
    assert ended.code == 1
    assert "1 cases have no embedding" in ended.err
    assert "does not exist" in ended.err.replace("\n", " ")
    refused = doubleread("cases", "use", folder, "colour-texture")
    assert refused.code == 2
    assert "1 of 5 cases have no embedding" in refused.err
    gone.write_bytes(data)
    ended = doubleread("cases", "reencode", folder, "--encoder", "colour-texture")
    assert "every case has an embedding of" in ended.out
    assert doubleread("cases", "use", folder, "colour-texture").code == 0
    with Archive.existing(folder) as store:
        assert store.fingerprint != "enc-1"
        assert store.count() == 5
    answer("n\n")
    assert doubleread("cases", "forget-encoder", folder, "enc-1").code == 1
    assert doubleread("cases", "forget-encoder", folder, "enc-1", "--yes").out == "forgot enc-1 and its 5 embeddings\n"
    assert doubleread("cases", "forget-encoder", folder, "colour-texture").code == 2


# -- the map ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["map.html", "map.svg"])
def test_the_map_is_one_file_that_needs_no_other(doubleread, archive, tmp_path, name):
    doubleread("cases", "delete", archive, ONE)
    ended = doubleread("cases", "map", archive, "-o", tmp_path / name)
    assert (ended.code, ended.out) == (0, f"map: {tmp_path / name}\n")
    drawn = (tmp_path / name).read_text(encoding="utf-8")
    assert drawn.count("<title>a · ") + drawn.count("<title>b · ") == 11
    assert "11 cases · v13-" in drawn
    assert CASES[0].id[:12] not in drawn
    assert not any(word in drawn.replace("http://www.w3.org/2000/svg", "") for word in ("http", "<script", "url("))


def test_a_map_needs_a_name_and_cases(doubleread, archive, tmp_path):
    assert "neither .html nor .svg" in doubleread("cases", "map", archive, "-o", tmp_path / "map.png").err
    doubleread("cases", "delete", archive, *(case.id for case in CASES))
    assert "holds no cases" in doubleread("cases", "map", archive, "-o", tmp_path / "map.svg").err
    assert not list(tmp_path.glob("map.*"))


# -- errors -------------------------------------------------------------------------------------------------------

COMMANDS = [
    ("list",), ("show", "abcdef"), ("stats",), ("history",), ("relabel", "abcdef", "x"),
    ("tag", "abcdef", "--add", "x"), ("delete", "abcdef"), ("undo",), ("snapshot", "x"),
    ("snapshots",), ("restore", "x"),
    ("backup", "b"), ("audit",),
    ("export", "out"), ("merge", "other"), ("use", "x"), ("forget-encoder", "x"), ("reencode",), ("map",),
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_every_command_says_that_there_is_no_archive(doubleread, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    name, *rest = command
    ended = doubleread("cases", name, "nowhere", *rest)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: there is no archive in ")
    assert "nowhere: make one with `doubleread cases add`" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("show", "zz"), "'zz' is no case id"),
        (("show", "ffffffff"), "has no case ffffffff"),
        (("relabel", ONE, ""), "a label cannot be empty"),
        (("restore", "never"), "no snapshot or version 'never'"),
        (("use", "never"), "no encoder of the archive is 'never'"),
        (("import", "never"), "never holds no about.json"),
        (("merge", "never"), "never: make one with"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(doubleread, archive, command, message):
    name, *rest = command
    ended = doubleread("cases", name, archive, *rest)
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert message in ended.err
    assert "Traceback" not in ended.err
