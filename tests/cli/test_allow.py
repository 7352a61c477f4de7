"""The commands and what a panel's folder asks for: listed, refused, allowed once and remembered."""

import json

import pytest
from consent_kit import counting, with_settings

from doubleread.panel import Panel


@pytest.fixture
def asking(saved, tmp_path, monkeypatch, offline):
    """A panel from somebody else, whose prompts are in a folder of this machine."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    (tmp_path / "theirs").mkdir()
    return with_settings(saved, tmp_path / "panel", prompts={"folder": str(tmp_path / "theirs")})


def test_a_panel_is_refused_until_it_is_allowed_once(doubleread, asking, dataset):
    picture = dataset.cases[-1].path
    refused = doubleread("diagnose", picture, "--panel", asking)
    assert refused.code == 2
    assert "was not loaded: it asks for what this machine has not allowed. Nothing was sent." in refused.err
    assert "prompts.folder = " in refused.err
    listed = doubleread("doctor", "panel", asking)
    assert listed.code == 1
    assert "cannot be used yet: it asks for 1 thing that is not allowed here" in " ".join(listed.out.split())
    assert "--allow-from-panel" in listed.out
    assert doubleread("diagnose", picture, "--panel", asking, "--allow-from-panel", "--json").code == 0
    assert doubleread("diagnose", picture, "--panel", asking, "--json").code == 0
    listed = doubleread("doctor", "panel", asking)
    assert (listed.code, "you allowed it for this panel" in " ".join(listed.out.split())) == (0, True)


def test_doctor_allows_and_knows_the_settings(doubleread, asking, tmp_path):
    (tmp_path / "own.toml").write_text(f"[prompts]\nfolder = {json.dumps(str(tmp_path / 'theirs'))}\n")
    same = doubleread("doctor", "panel", asking, "--settings", tmp_path / "own.toml")
    assert (same.code, "your settings say the same" in " ".join(same.out.split())) == (0, True)
    assert doubleread("doctor", "panel", asking, "--allow-from-panel").code == 0
    assert doubleread("doctor", "panel", asking).code == 0


def test_a_panel_that_asks_for_nothing(doubleread, saved, offline):
    ended = doubleread("doctor", "panel", saved)
    assert (ended.code, "it asks for nothing outside its own folder" in " ".join(ended.out.split())) == (0, True)


def test_a_folder_without_a_panel(doubleread, tmp_path):
    ended = doubleread("doctor", "panel", tmp_path)
    assert (ended.code, "holds no panel" in ended.err) == (2, True)


@pytest.mark.parametrize(
    "command",
    [
        ("evaluate", "PHOTOS", "--panel", "PANEL"),
        ("prevalence", "PANEL", "PHOTOS"),
        ("chat", "--panel", "PANEL"),
        ("stress", "PANEL", "PHOTOS"),
        ("serve", "--port", "0", "--panel", "PANEL"),
    ],
)
def test_every_command_that_loads_a_panel_refuses_and_has_the_flag(
    doubleread, asking, photos, command, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    names = {"PHOTOS": photos, "PANEL": asking}
    ended = doubleread(*(names.get(word, word) for word in command))
    assert ended.code == 2
    assert "prompts.folder = " in ended.err
    assert "--allow-from-panel" in doubleread(command[0], "--help").out


def test_confirming_into_an_archive_on_a_server_is_refused_before_anything_is_kept(
    doubleread, made, quick, dataset, tmp_path, monkeypatch, offline
):
    with Panel.load(made, settings=quick) as panel:
        (tmp_path / "v.jsonl").write_text(panel.diagnose(dataset.cases[0].path).model_dump_json() + "\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "configuration"))
    with counting() as (url, got):
        folder = with_settings(made, tmp_path / "panel", retrieval={"url": url})
        ended = doubleread("trust", "confirm", tmp_path / "v.jsonl", "--label", "blue", "--panel", folder)
    assert ended.code == 2
    assert "retrieval.url = " in ended.err
    assert got == []
    assert not (folder / "outcomes.jsonl").exists()
