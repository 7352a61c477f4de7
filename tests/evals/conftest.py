"""Tiny pictures on disk."""

import csv
import hashlib
import json

import pytest
from evals_support import picture

from doubleread.core.case import Case


@pytest.fixture
def folder(tmp_path):
    """Three rusty and three healthy leaves, one sub-folder each."""
    for i in range(3):
        picture(tmp_path / "data" / "rust" / f"plant{i}-a.png", i)
        picture(tmp_path / "data" / "healthy" / f"plant{i}-b.png", 100 + i)
    return tmp_path / "data"


@pytest.fixture
def manifest(tmp_path):
    """Writes a CSV and the pictures it names; a row is (file, label, further columns)."""

    def write(columns, rows, name="manifest.csv", pictures=True):
        for i, row in enumerate(rows):
            if pictures and row[0]:
                picture(tmp_path / "cells" / row[0], i)
        file = tmp_path / "cells" / name
        file.parent.mkdir(exist_ok=True)
        with file.open("w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(columns)
            writer.writerows(rows)
        return file

    return write


@pytest.fixture
def jsonl(tmp_path):
    """Writes a JSONL manifest from objects, with their pictures."""

    def write(rows):
        for i, row in enumerate(rows):
            picture(tmp_path / "cells" / row["path"], i)
        file = tmp_path / "cells" / "manifest.jsonl"
        file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
        return file

    return write


@pytest.fixture
def make_case():
    """A case without a file."""

    def make(key, label, **fields):
        return Case(id=hashlib.sha256(str(key).encode()).hexdigest(), source=f"{key}.png", label=label, **fields)

    return make
