"""The data sets that benchmarks run on; where one is absent the benchmark is skipped."""

import asyncio
import os
from functools import cache
from pathlib import Path

from benchmarks.figure import Skipped
from doubleread.core.errors import DataError
from doubleread.evals.datasets import Dataset, read_dataset
from doubleread.evals.paper import RecordedPanel, load_paper_panel
from doubleread.evals.reproduction.paper_replay import readings_of
from doubleread.evals.reproduction.reproduction_report import AGENTS
from doubleread.orchestrator.learning.arbitration import Readings

LEAVES = "DOUBLEREAD_LEAVES"
"""Environment variable with the folder of the apple leaves (``manifest.csv`` and the images)."""
PAPER = "DOUBLEREAD_PAPER"
"""Environment variable with the folder of the paper's recorded answers (its CSV files)."""

LEAF_GROUPS = "label,series,capture//10"


@cache
def leaves() -> Dataset:
    """The apple leaves with their own splits, grouped by blocks of ten captures; raises ``Skipped``."""
    folder = os.environ.get(LEAVES, "")
    if not folder:
        raise Skipped(f"set {LEAVES}=/path/to/leaves (the folder that holds manifest.csv)")
    manifest = Path(folder).expanduser() / "manifest.csv"
    if not manifest.is_file():
        raise Skipped(f"{LEAVES}={folder}: there is no manifest.csv in it")
    return read_dataset(manifest, group=LEAF_GROUPS, task_id="apple-leaves")


@cache
def solar_cells() -> Dataset:
    """The solar cells, not yet split; raises ``Skipped`` where the package is not installed."""
    try:
        return read_dataset("solar-cells")
    except DataError as error:
        raise Skipped(str(error)) from None


def paper_folder() -> Path:
    """Where the paper's recorded answers are; raises ``Skipped``."""
    folder = os.environ.get(PAPER, "")
    if not folder:
        raise Skipped(f"set {PAPER}=/path/to/the/paper's/CSV/files")
    return Path(folder).expanduser()


def paper_answers() -> tuple[RecordedPanel, Readings]:
    """The paper's panel, and both rounds of what its agents said; raises ``Skipped``."""
    panel = load_paper_panel(paper_folder(), "re-evaluated")
    return panel, asyncio.run(readings_of(panel, AGENTS))
