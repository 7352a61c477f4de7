"""The data sets that benchmarks run on; where one is absent the benchmark is skipped."""

import os
from functools import cache
from pathlib import Path

from doubleread.core.errors import DataError
from doubleread.evals.benchmarks.figure import Skipped
from doubleread.evals.datasets import Dataset, read_dataset

LEAVES = "DOUBLEREAD_LEAVES"
"""Environment variable with the folder of the apple leaves (``manifest.csv`` and the images)."""

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
