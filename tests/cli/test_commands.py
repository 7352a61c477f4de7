"""What the commands print, where, and with which exit code."""

import csv
import json
import shutil
import subprocess
import sys
import tomllib

import pytest
from kit import photo, photo_folder, unspaced
from PIL import Image

from doubleread import __version__
from doubleread.core.attribution import Attribution
from doubleread.core.opinion import Abstention
from doubleread.core.verdict import Unread, Verdict
from doubleread.settings import load_settings

SECRET = "sk-this-must-never-be-printed"


# -- small commands -----------------------------------------------------------------------------------------------


def test_help_names_the_commands_with_an_example(doubleread):
    ended = doubleread("--help")
    assert ended.code == 0
    assert all(name in ended.out for name in ("demo", "fit", "diagnose", "doctor", "settings"))
    assert "Start with: doubleread demo" in ended.out
    assert "Example: doubleread fit photos/ -o panel" in doubleread("fit", "--help").out


def test_help_loads_nothing_heavy():
    code = "import sys; from doubleread.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
    heavy = "print([m for m in ('torch', 'chromadb', 'langgraph', 'numpy', 'sklearn') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code + heavy], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


ALL_HELP = """
from typer.main import get_command
from doubleread.cli.main import app, main

def paths(command, path=()):
    yield path
    for name, one in getattr(command, "commands", {}).items():
        yield from paths(one, (*path, name))

for path in paths(get_command(app)):
    try:
        main([*path, "--help"])
    except SystemExit as ended:
        assert ended.code == 0, path
"""


def test_the_help_of_no_command_loads_anything_heavy():
    heavy = "import sys; print([m for m in ('torch', 'langgraph', 'numpy', 'chromadb', 'sklearn') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", ALL_HELP + heavy], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


def test_version(doubleread):
    assert doubleread("--version").out == f"doubleread {__version__}\n"


def test_settings_print_a_file_that_loads(doubleread, tmp_path):
    ended = doubleread("settings")
    assert tomllib.loads(ended.out)["panel"]
    (tmp_path / "settings.toml").write_text(ended.out)
    assert load_settings(tmp_path / "settings.toml") == load_settings()


@pytest.mark.parametrize(("key", "said"), [(SECRET, "OPENAI_API_KEY is set"), (None, "OPENAI_API_KEY is NOT set")])
def test_doctor_says_what_will_be_used_and_never_a_key(doubleread, monkeypatch, tmp_path, key, said):
    monkeypatch.setenv("OPENAI_API_KEY", key) if key else monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("COLUMNS", "240")
    (tmp_path / "s.toml").write_text(
        '[vlm.gpt]\nmodel = "gpt-4o"\nbase_url = "http://127.0.0.1:9/v1"\nkey_variable = "OPENAI_API_KEY"\n'
    )
    ended = doubleread("doctor", "--encoder", "efficientnet-lite0", "--settings", str(tmp_path / "s.toml"))
    assert ended.code == 0
    assert "efficientnet-lite0: it was asked for" in ended.out
    (line,) = [line for line in ended.out.splitlines() if "OPENAI_API_KEY" in line]
    assert said in line
    assert "NOT on the panel: add it to agents in [panel]" in line
    assert ("no connection" in line) is bool(key)
    assert "pydantic" in ended.out
    assert SECRET not in ended.out + ended.err


def test_doctor_names_what_cannot_be_used(doubleread, tmp_path, monkeypatch):
    file = tmp_path / "s.toml"
    file.write_text(f'[panel]\nagents = ["oracle"]\n[encoder]\nname = "oracle"\ncache_dir = "{tmp_path}/[x]"\n')
    monkeypatch.setenv("COLUMNS", "500")
    ended = doubleread("doctor", "--settings", file)
    assert ended.code == 0
    assert "unknown encoder 'oracle'" in ended.out
    assert "unknown agent 'oracle'" in ended.out
    assert "[x]" in unspaced(ended.out).replace("│", "")


# -- errors -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("diagnose", "x.png", "--panel", "nowhere"), "error: nowhere holds no panel"),
        (("fit", "nowhere"), "error: there is no nowhere"),
        (("demo", "--data", "nowhere"), "error: there is no nowhere"),
        (("fit", "nowhere", "--agents", " "), "error: settings cannot be used"),
        (("fit", "nowhere", "-o", __file__), "is a file; a panel is a folder"),
        (("demo", "--data", "photos", "-o", __file__), "File exists"),
    ],
)
def test_an_error_of_ours_is_one_message_and_exit_code_2(doubleread, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    photo_folder(tmp_path / "photos", 4)
    ended = doubleread(*arguments)
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_an_unknown_agent_is_found_before_the_work_begins(doubleread, photos, tmp_path):
    ended = doubleread("fit", photos, "-o", tmp_path / "p", "--agents", "logistic, oracle")
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith("error: unknown agent 'oracle'; known: discriminant, logistic")
    assert not (tmp_path / "p").exists()


def test_every_fault_of_the_settings_is_listed(doubleread, tmp_path):
    file = tmp_path / "s.toml"
    file.write_text("[trust]\nfolds = 1\nbin = 3\n[panel]\nagents = []\n")
    ended = doubleread("doctor", "--settings", file)
    assert ended.code == 2
    assert ended.err.startswith("error: settings cannot be used:")
    assert all(name in ended.err for name in ("trust.folds", "trust.bin: unknown key", "panel.agents"))


def test_an_unknown_command_is_a_usage_error(doubleread):
    assert doubleread("diagnoze").code == 2


# -- fit and diagnose ---------------------------------------------------------------------------------------------


def test_fit_then_diagnose(doubleread, offline, photos, tmp_path):
    ended = doubleread("fit", photos, "-o", tmp_path / "my [panel]", "--agents", "logistic,neighbours")
    assert ended.code == 0
    assert ended.out.splitlines()[-1] == f"panel: {tmp_path / 'my [panel]'}"
    assert "On the calibration images, after calibration" in ended.out
    assert "30 images, labels blue, green, red" in ended.err
    assert "trust learned from cross-fitting in 3 folds" in ended.err
    assert "learning trust: 1/1" in ended.err

    fresh = photo(tmp_path / "[bold]fresh.png", hue=2, seed=77)
    ended = doubleread("diagnose", fresh, "--panel", tmp_path / "my [panel]")
    assert ended.code == 0
    assert "[bold]fresh.png" in ended.out
    assert "red" in ended.out
    assert "\x1b" not in ended.out + ended.err

    again = doubleread("fit", photos, "-o", tmp_path / "my [panel]", "--agents", "neighbours")
    assert again.code == 0
    ended = doubleread("diagnose", fresh, "--panel", tmp_path / "my [panel]", "--json")
    assert {o["agent"] for o in json.loads(ended.out)["opinions"]} == {"neighbours"}


def test_what_models_and_file_names_say_steers_no_terminal(doubleread, offline, saved, tmp_path, monkeypatch):
    steering = "\x1b[2J\x9b31m\u202e"

    async def says(self, case):
        return Abstention(agent="texture", cause="failure", detail=steering)

    monkeypatch.setattr("doubleread.agents.texture.Texture.read", says)
    leaf, broken = photo(tmp_path / f"leaf{steering}.png", hue=2, seed=77), tmp_path / f"broken{steering}.png"
    broken.write_bytes(b"")
    ended = doubleread("diagnose", leaf, broken, "--panel", saved, "--explain")
    assert not set(steering) - set("[2J31m") & set(ended.out + ended.err)
    assert "leaf�[2J�31m�.png" in ended.out
    assert "texture gave no answer: �[2J�31m�" in ended.out
    assert unspaced("broken�[2J�31m�.png: the file has no bytes") in unspaced(ended.err)
    ended = doubleread("diagnose", leaf, "--panel", tmp_path / f"no{steering}")
    assert ended.code == 2
    assert "no�[2J" in ended.err
    assert not set(steering) - set("[2J31m") & set(ended.err)


def test_json_is_one_verdict_a_line_and_nothing_else(doubleread, offline, saved, photos):
    images = [photos / "red" / "red-009.png", photos / "no.png", photos / "blue" / "blue-009.png"]
    ended = doubleread("diagnose", *images, "--panel", saved, "--json")
    assert ended.code == 1
    first, second, third = ended.out.splitlines()
    assert Verdict.model_validate_json(first).label == "red"
    assert Unread.model_validate_json(second).code == "missing"
    assert Verdict.model_validate_json(third).case.path == images[2]
    assert "\x1b" not in ended.out


def test_images_that_cannot_be_read_are_reported_and_the_rest_goes_on(doubleread, offline, saved, photos, tmp_path):
    (tmp_path / "[").mkdir()
    (tmp_path / "[" / "empty].png").write_bytes(b"")
    ended = doubleread("diagnose", tmp_path / "[" / "empty].png", photos / "red" / "red-009.png", "--panel", saved)
    assert ended.code == 1
    assert unspaced("[/empty].png: the file has no bytes") in unspaced(ended.err)
    assert "red-009.png" in ended.out


def test_where_the_agents_looked_is_drawn_or_written(doubleread, offline, saved, photos, tmp_path):
    red = photos / "red" / "red-009.png"
    ended = doubleread("diagnose", red, "--panel", saved, "--where", tmp_path / "where.png")
    assert ended.code == 0
    assert "texture gives red" in ended.err.replace("\n", " ")
    with Image.open(tmp_path / "where.png") as picture:
        assert picture.width > 700
    ended = doubleread("diagnose", red, "--panel", saved, "--json", "--where", tmp_path / "w.json", "--label", "blue")
    assert Verdict.model_validate_json(ended.out).label == "red"
    found = Attribution.model_validate_json((tmp_path / "w.json").read_text())
    assert {one.label for one in found.maps} == {"blue"}


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("a.png", "--where", "out.gif"), "name a file that ends in"),
        (("a.png", "b.png", "--where", "out.png"), "draws one image"),
        (("a.png", "--label", "rust"), "name a file with --where"),
    ],
)
def test_what_where_cannot_draw_is_refused_before_anything_is_loaded(doubleread, arguments, problem):
    ended = doubleread("diagnose", *arguments, "--panel", "nowhere")
    assert ended.code == 2
    assert problem in " ".join(ended.err.replace("│", " ").split())


def test_a_damaged_panel_is_an_error_of_ours(doubleread, offline, saved, photos, tmp_path):
    copy = shutil.copytree(saved, tmp_path / "copy")
    (copy / "arbiter.json").write_text("{")
    ended = doubleread("diagnose", photos / "red" / "red-009.png", "--panel", copy)
    assert (ended.code, len(ended.err.splitlines())) == (2, 1)
    assert ended.err.startswith("error: ")
    assert "copy the panel again, or fit it again" in ended.err


# -- demo ---------------------------------------------------------------------------------------------------------


def test_demo_writes_everything_and_a_second_run_uses_it_again(doubleread, offline, photos, tmp_path):
    out = tmp_path / "out"
    data = shutil.copytree(photos, tmp_path / "data")
    Image.new("L", (4, 4)).save(data / "red" / "tiny.png")
    arguments = ("demo", "--data", data, "-o", out, "--agents", "logistic,neighbours", "--show", "1")
    first = doubleread(*arguments)
    assert first.code == 0, first.err
    assert "unseen images" in first.out
    assert "true label: " in first.out
    assert first.out.splitlines()[-1] == f"results: {out}  (open {out / 'run' / 'report.html'})"
    assert "tiny.png" in first.err  # whichever split it fell into
    assert {path.name for path in out.iterdir()} == {"panel", "fitted.json", "run"}
    assert {"rows.jsonl", "evaluation.json", "report.html"} <= {path.name for path in (out / "run").iterdir()}
    assert "used again" not in first.err

    written = (out / "run" / "rows.jsonl").read_bytes()
    second = doubleread(*arguments)
    assert second.code == 0
    assert "used again" in second.err
    assert "learning trust" not in second.err
    assert (out / "run" / "rows.jsonl").read_bytes() == written
    assert "\x1b" not in first.out + first.err + second.out + second.err


def test_trust_is_shown_drawn_and_exported(doubleread, saved, tmp_path):
    ended = doubleread("trust", "show", str(saved), "--draw", str(tmp_path / "trust.svg"))
    assert ended.code == 0
    assert "discriminant" in ended.out
    assert "calibration" in ended.out
    assert "learned from" in ended.err
    assert (tmp_path / "trust.svg").read_text().startswith("<svg")
    assert doubleread("trust", "export", str(saved), "-o", str(tmp_path / "trust.csv")).code == 0
    assert doubleread("trust", "export", str(saved), "-o", str(tmp_path / "trust.json")).code == 0
    with (tmp_path / "trust.csv").open() as file:
        rows = list(csv.DictReader(file))
    profiles = json.loads((tmp_path / "trust.json").read_text())
    assert [(row["agent"], int(row["round"])) for row in rows] == [(p["agent"], p["round"]) for p in profiles]
    assert float(rows[0]["accuracy"]) == profiles[0]["accuracy"]["value"]
    refused = doubleread("trust", "export", str(saved), "-o", str(tmp_path / "trust.xlsx"))
    assert refused.code == 2
    assert "the name must end in .csv or .json" in refused.err
