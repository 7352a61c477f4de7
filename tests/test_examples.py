"""The examples run as they stand, from a folder of images to the report."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kit import photo_folder

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def folder(tmp_path, settings, monkeypatch):
    """A working folder with photos in it."""
    photo_folder(tmp_path / "photos", 12)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOUBLEREAD_ENCODER__NAME", "efficientnet-lite0")
    monkeypatch.setenv("DOUBLEREAD_ENCODER__CACHE_DIR", settings.encoder.cache_dir)
    return tmp_path


def test_the_script(folder):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "folder_to_report.py", "photos", "out"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout.startswith("right on ")
    assert (folder / "out" / "run" / "report.html").is_file()


def test_the_notebook(folder, capsys):
    cells = json.loads((EXAMPLES / "folder_to_report.ipynb").read_text(encoding="utf-8"))["cells"]
    names = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert capsys.readouterr().out.startswith("right on ")
    assert names["judged"].report.is_file()
