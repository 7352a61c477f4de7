"""What a newcomer does with a folder of images, in this order: fit, diagnose, evaluate; and what goes wrong."""

import io
import json
from pathlib import Path

import pytest
from kit import photo, photo_folder, unspaced

from doubleread.evals.datasets import read_dataset
from doubleread.evals.runs.run_folder import read_rows


@pytest.fixture
def home(tmp_path, monkeypatch, offline):
    """A working folder with ``photos`` in it, twelve of each label."""
    photo_folder(tmp_path / "photos", 12)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOUBLEREAD_PANEL__AGENTS", '["logistic", "neighbours"]')
    return tmp_path


def test_fit_then_evaluate_on_one_plain_folder(doubleread, home):
    fitted = doubleread("fit", "photos", "-o", "panel")
    assert fitted.code == 0
    assert unspaced("6 of 36 images are kept back for a test") in unspaced(fitted.err)
    assert unspaced("doubleread evaluate photos --panel panel") in unspaced(fitted.err)
    judged = doubleread("evaluate", "photos", "--panel", "panel", "-o", "run")
    assert judged.code == 0
    kept = {row.case.id for row in read_rows(Path("run"))}
    assert len(kept) == 6
    assert kept == {case.id for case in read_dataset("photos").with_splits().part("test")}
    assert not any(one in path.read_text(errors="replace") for one in kept for path in Path("panel").rglob("*.json*"))


def test_all_images_can_be_used_to_fit_and_then_none_is_left(doubleread, home):
    assert "kept back" not in doubleread("fit", "photos", "-o", "panel", "--test-share", "0").err
    judged = doubleread("evaluate", "photos", "--panel", "panel")
    assert judged.code == 2
    assert unspaced("it has learned from all 36 images. Name labelled images") in unspaced(judged.err)


def test_too_few_images_for_a_test_are_all_used_and_it_is_said(doubleread, home):
    photo_folder(home / "few", 6)
    fitted = doubleread("fit", "few", "-o", "panel")
    assert fitted.code == 0
    assert unspaced("! too few images to keep some back for a test") in unspaced(fitted.err)
    assert unspaced("judge the panel on other labelled images") in unspaced(fitted.err)


def test_a_folder_a_pattern_or_stdin_names_images(doubleread, home, saved, monkeypatch):
    for i in range(3):
        photo(home / "new" / f"{i}.png", hue=i, seed=900 + i)
    for named in ("new", "new/*.png"):
        lines = doubleread("diagnose", named, "--panel", saved, "--json").out.splitlines()
        assert [Path(json.loads(line)["case"]["source"]).name for line in lines] == ["0.png", "1.png", "2.png"]
    monkeypatch.setattr("sys.stdin", io.StringIO("new/2.png\n\nnew/0.png\n"))
    lines = doubleread("diagnose", "-", "--panel", saved, "--json").out.splitlines()
    assert [Path(json.loads(line)["case"]["source"]).name for line in lines] == ["2.png", "0.png"]
    (home / "empty").mkdir()
    nothing = doubleread("diagnose", "empty", "--panel", saved)
    assert nothing.code == 2
    assert "empty: no image found; expected images in the folder" in nothing.err


def test_other_costs_and_another_prior_for_a_fitted_panel(doubleread, home, saved):
    new = photo(home / "new.png", hue=2, seed=900)

    def decided(text):
        Path("task.toml").write_text(text)
        return json.loads(doubleread("diagnose", new, "--panel", saved, "--task", "task.toml", "--json").out)

    plain = json.loads(doubleread("diagnose", new, "--panel", saved, "--json").out)
    free = decided("[costs]\nreferral = 0.0")
    assert (plain["decision"]["action"], free["decision"]["action"]) == ("commit", "refer")
    assert free["posterior"] == plain["posterior"]
    assert free["prediction_set"] == plain["prediction_set"]
    rare = decided("[prior]\nred = 0.0002\nblue = 0.4999\ngreen = 0.4999")
    assert rare["posterior"]["red"] < plain["posterior"]["red"]
    assert rare["coverage"] is None
    Path("task.toml").write_text('about = "tulips"')
    refused = doubleread("diagnose", new, "--panel", saved, "--task", "task.toml")
    assert refused.code == 2
    assert unspaced("fit it again with --task task.toml") in unspaced(refused.err)


@pytest.mark.parametrize(
    ("option", "told"),
    [
        (("--group", "plant"), "--group 're:([^/]+?)[ _-]?\\d+\\.\\w+$' takes 'blue' from 'blue-000.png'"),
        (("--label-column", "species"), "has no column 'species': its labels are the names of its sub-folders"),
        (("--path-column", "file"), "has no column 'file'"),
    ],
)
def test_columns_of_a_folder_are_refused_with_what_works(doubleread, home, option, told):
    ended = doubleread("fit", "photos", *option)
    assert ended.code == 2
    assert unspaced(told) in unspaced(ended.err)
