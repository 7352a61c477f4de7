"""``doubleread sweep``, and what its page says of it."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from typer.main import get_command

from doubleread.cli.main import app
from doubleread.evals.sweep._grid import DIMENSIONS

DOC = (Path(__file__).parents[2] / "docs" / "sweep.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", DOC, flags=re.DOTALL)


def test_the_tables_fit_and_say_what_choosing_is_worth(doubleread, made, offline, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    ran = doubleread("sweep", made, "--vary", "referral=0.05,0.2", "--vary", "agents=all,logistic")
    assert ran.code == 0
    assert "as it is" in ran.out
    assert "agents=logistic referral=0.05" in ran.out
    assert "because it was chosen on the same cases" in " ".join(ran.out.split())
    assert "The p values allow for the number of variants (Holm)." in " ".join(ran.out.split())
    assert max(map(len, ran.out.splitlines())) <= 80
    assert "variants with different costs of a referral cannot be compared by cost" in " ".join(ran.err.split())
    assert "learning and replaying: 2/2" in ran.err


def test_files_hold_every_figure(doubleread, made, offline, tmp_path):
    drawn, written = tmp_path / "sweep.svg", tmp_path / "sweep.csv"
    ran = doubleread("sweep", made, "--vary", "referral=0.05", "--json", "--draw", drawn, "-o", written)
    found = json.loads(ran.out)
    assert [one["name"] for one in found["judged"]] == ["as it is", "referral=0.05"]
    rows = list(csv.DictReader(written.read_text(encoding="utf-8").splitlines()))
    for row, one in zip(rows, found["judged"], strict=True):
        assert row["agents"] == "logistic+neighbours"
        assert float(row["accuracy_low"]) == pytest.approx(one["figures"]["accuracy"]["low"])
    assert rows[0]["change_nll"] == rows[1]["change_cost"] == ""
    words = [element.text for element in ET.fromstring(drawn.read_text(encoding="utf-8")).iter() if element.text]
    assert "wrong committed answers, %" in words
    assert "referral=0.05" in words


def test_what_cannot_be_is_one_line_and_code_2(doubleread, made, offline, tmp_path):
    for arguments, told in (
        (["--vary", "weather"], "unknown thing to vary 'weather'"),
        ([], "nothing to vary"),
        (["--vary", "max_share"], "has no recorded second looks"),
        (["--vary", "rule", "--usd", "logistic"], "write NAME=PRICE"),
        (["--vary", "rule", "--usd", "logistic=-1"], "a price must be 0 or more"),
        (["--vary", "rule", "--run", tmp_path], "contains no run"),
        (["--vary", "rule", "-o", "sweep.xlsx"], "the name must end in .csv"),
    ):
        ran = doubleread("sweep", made, *arguments)
        assert ran.code == 2
        assert told in ran.err
        assert "Traceback" not in ran.err


@pytest.mark.parametrize("line", [line.split("#")[0] for line in blocks("bash")[0].splitlines()])
def test_the_commands_of_the_page_parse(line):
    words = line.split(">")[0].split()
    command = get_command(app).commands["sweep"]
    assert words[:2] == ["doubleread", "sweep"]
    command.make_context("sweep", words[2:])


def test_the_page_names_everything_that_can_be_varied():
    rows = DOC.split("| name |")[1].split("\n\n")[0].splitlines()[2:]
    named = re.findall(r"`(\w+)`", " ".join(row.split("|")[1] for row in rows))
    assert set(named) == set(DIMENSIONS)


def test_the_python_of_the_page_runs(made, settings, tmp_path):
    (tmp_path / "panel").symlink_to(made, target_is_directory=True)
    env = {**os.environ, "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, "-c", blocks("python")[0]], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["as", "referral=0.05", "referral=0.1"]
