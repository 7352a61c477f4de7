"""The tutorials run from scratch as they are stored, and what is stored with them is whole, small and of no machine."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
MOST = {"kB": 400, "cells": 12}


def code_cells(file):
    return [cell for cell in json.loads(file.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def kinds(cell):
    """The kinds of a cell's outputs, however the kernel cuts a stream into pieces."""
    return {kind for one in cell["outputs"] for kind in one.get("data", (one["output_type"],))}


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_what_is_stored(file):
    cells, text = code_cells(file), file.read_text(encoding="utf-8")
    assert len(cells) <= MOST["cells"]
    assert file.stat().st_size <= 1000 * MOST["kB"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1)), "run `make tutorials`"
    assert any(cell["outputs"] for cell in cells[:2]), "something useful within the first two cells"
    assert all(cell["outputs"] for cell in cells[1:]), "every cell shows something"
    assert any({"text/html", "image/png"} & kinds(cell) for cell in cells), "pictures can be seen"
    assert not [cell for cell in cells if "error" in kinds(cell)]
    told = "".join("".join(one["text"]) for cell in cells for one in cell["outputs"] if one.get("name") == "stderr")
    assert set(re.findall(r"\w+Warning\b", told)) <= {"DoublereadWarning"}
    assert not re.search(r"/(?:home|root|tmp|Users|site-packages)/", text)


@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_the_links_lead_somewhere(file):
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert not [target for target in targets if not (FOLDER / target).exists()]
    assert "glossary.md#word-" in text


@pytest.mark.integration
@pytest.mark.parametrize("file", NOTEBOOKS, ids=lambda file: file.stem)
def test_it_runs_from_scratch(file, tmp_path, settings):
    for package in ("nbclient", "ipykernel", "elpv_dataset"):
        pytest.importorskip(package, reason="pip install -e .[test]")
    env = {**os.environ, "DOUBLEREAD_ENCODER__CACHE_DIR": settings.encoder.cache_dir}
    command = [sys.executable, FOLDER / "run.py", file.stem, "--out", tmp_path]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-3000:]
    fresh, stored = (code_cells(folder / file.name) for folder in (tmp_path, FOLDER))
    assert [*map(kinds, fresh)] == [*map(kinds, stored)], "other kinds of outputs than stored: run `make tutorials`"
