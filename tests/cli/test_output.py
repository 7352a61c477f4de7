"""Commands in a process of their own: output in any encoding, into closed pipes, and errors that nobody foresaw."""

import json
import os
import subprocess
import sys

import pytest
from typer.main import get_command

from doubleread.cli.main import TRACEBACK, UNEXPECTED, app, main

HELP = """
import sys
from doubleread.cli.main import main
for words in sys.stdin.read().splitlines():
    try:
        main([*words.split(), "--help"])
    except SystemExit as ended:
        assert not ended.code, words
"""
"""Every command's help in one process: starting one takes a second."""


def commands(group, words=()):
    yield " ".join(words)
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*words, name))


def child(*arguments, program=None, **environment):
    start = ["-c", program] if program else ["-m", "doubleread"]
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        input="\n".join(commands(get_command(app))).encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
    )


@pytest.mark.parametrize(
    "environment",
    [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}],
    ids=["ascii", "C"],
)
def test_every_help_is_written_in_any_encoding(environment):
    ended = child(program=HELP, **environment)
    assert ended.returncode == 0, ended.stderr.decode(errors="replace")
    assert ended.stderr == b""
    assert ended.stdout.decode(environment.get("PYTHONIOENCODING", "utf-8")).count("Usage:") > 30


ORDERS = """
import contextlib, io, json, sys
from doubleread.cli.main import main
from doubleread.panel import Panel
panel, image, run = sys.argv[1:]
for words in (
    ["diagnose", image, "--panel", panel, "--explain"],
    ["diagnose", image, "nowhere-\\u6f22.png", "--panel", panel, "--json"],
    ["trust", "show", panel],
    ["cases", "list", panel + "/store"],
    ["evaluate", "--help"],
    ["diagnose", "\\u2713", "--panel", "nowhere \\u2713"],
):
    try:
        main(words)
    except SystemExit:
        pass
with Panel.load(panel) as loaded:
    print(loaded.diagnose(image))
"""


def test_no_verdict_is_lost_to_an_encoding(made, offline, photos, tmp_path):
    encoding = "ascii"
    image = next(photos.rglob("*.png"))
    ended = child(made, image, tmp_path, program=ORDERS, PYTHONIOENCODING=encoding)
    out, err = ended.stdout.decode(encoding), ended.stderr.decode(encoding)
    assert ended.returncode == 0, err
    assert "Traceback" not in err
    assert "% sure" in out or "Have a person look" in out
    assert "holds no panel" in err or "does not exist" in err or "is missing" in err, err
    lines = [json.loads(line) for line in out.splitlines() if line.startswith('{"')]
    assert lines[0]["case"]["id"]
    assert lines[1]["source"] == "nowhere-漢.png"


def test_a_closed_pipe_ends_quietly():
    read, write = os.pipe()
    os.close(read)
    with subprocess.Popen(
        [sys.executable, "-m", "doubleread", "settings"], stdout=write, stderr=subprocess.PIPE
    ) as ended:
        os.close(write)
        told = ended.communicate()[1]
    assert (ended.returncode, told) == (1, b"")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (RecursionError("x" * 9000), "nested too deeply"),
        (MemoryError(), "not enough memory"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "UnicodeDecodeError"),
        (KeyError("rank"), "KeyError: 'rank'"),
        (ZeroDivisionError("one\ntwo"), "ZeroDivisionError: one two"),
    ],
)
def test_an_error_that_nobody_foresaw_is_one_line(capsys, monkeypatch, error, told):
    @app.command("fails-for-the-test")
    def fails():
        raise error

    try:
        with pytest.raises(SystemExit) as ended:
            main(["fails-for-the-test"])
        said = capsys.readouterr()
        assert (ended.value.code, said.out) == (UNEXPECTED, "")
        assert told in said.err
        assert len(said.err.splitlines()) == 1
        assert f"{TRACEBACK}=1" in said.err
        monkeypatch.setenv(TRACEBACK, "1")
        with pytest.raises(type(error)):
            main(["fails-for-the-test"])
    finally:
        app.registered_commands.pop()
