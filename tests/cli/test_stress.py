"""``doubleread stress``, and what its page says of it."""

import json
import re
from pathlib import Path

import pytest
from kit import photo
from typer.main import get_command

from doubleread.cli.main import app
from doubleread.evals.stress import CORRUPTIONS
from doubleread.evals.stress._stress_figures import FIGURES

DOC = (Path(__file__).parents[2] / "docs" / "stress.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def unseen(tmp_path_factory):
    root = tmp_path_factory.mktemp("unseen")
    for hue, label in enumerate(("blue", "green", "red")):
        for i in range(4):
            photo(root / label / f"{i}.png", hue, seed=50_000 + 10 * hue + i)
    (root / "red" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    return root


def test_the_card_is_shown_and_written(doubleread, made, unseen, offline, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    ran = doubleread("stress", made, unseen, "--corruptions", "jpeg,greyscale", "--severities", "1,5", "-o", tmp_path)
    assert ran.code == 0
    assert ran.out.startswith("Up to severity 1, the panel ")
    assert "Per cent of 12 images in 12 groups" in ran.out
    assert max(map(len, ran.out.splitlines()[:-1])) <= 80
    assert re.search(r"^greyscale +1 +\d+ ", ran.out, flags=re.MULTILINE)
    assert "…" not in ran.out
    assert ran.out.splitlines()[-1] == str(tmp_path / "stress.html")
    assert "corrupted images: 65/65" in ran.err
    assert "1 image could not be opened" in " ".join(ran.err.split())
    assert {file.name for file in tmp_path.iterdir()} == {"stress.html", "stress.json", "stress.svg"}


def test_json_has_every_figure_and_the_folder_is_named_by_time(
    doubleread, made, unseen, offline, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    ran = doubleread("stress", made, unseen, "--corruptions", "greyscale", "--severities", "5", "--limit", 6, "--json")
    found = json.loads(ran.out)
    assert [one["corruption"] for one in found["conditions"]] == ["greyscale"]
    assert set(found["conditions"][0]["figures"]) <= set(FIGURES)
    assert found["conditions"][0]["figures"]["accuracy"]["low"] <= found["conditions"][0]["figures"]["accuracy"]["high"]
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}-unseen\d+-stress", folder.name)
    assert json.loads((folder / "stress.json").read_text(encoding="utf-8")) == found


def test_what_cannot_be_is_one_line_and_code_2(doubleread, made, photos, unseen, offline, tmp_path):
    for arguments, told in (
        ([made, unseen, "--corruptions", "rain"], "unknown corruption 'rain'"),
        ([made, unseen, "--severities", "1-9"], "severities are 1 to 5"),
        ([made, unseen, "--severities", "hard"], "is not a list of severities"),
        ([made, photos], "there is no image to judge the panel on"),
        ([tmp_path, unseen], "holds no panel"),
        ([made, tmp_path / "nowhere"], "there is no"),
        ([made, unseen, "--corruptions", "background"], "no picture could be corrupted"),
    ):
        ran = doubleread("stress", *arguments)
        assert (ran.code, told in " ".join(ran.err.split())) == (2, True), ran.err
        assert "Traceback" not in ran.err


@pytest.mark.parametrize("line", re.findall(r"^doubleread stress .*$", DOC, flags=re.MULTILINE))
def test_the_commands_of_the_page_parse(line):
    words = re.split("[#>]", line)[0].split()
    get_command(app).commands["stress"].make_context("stress", words[2:])


def test_the_page_names_every_corruption_and_figure():
    rows = [row for row in DOC.splitlines() if row.startswith("|")]
    named = set(re.findall(r"`([a-z-]+)`", " ".join(row.split("|")[1] for row in rows)))
    assert set(CORRUPTIONS) | set(FIGURES) <= named
