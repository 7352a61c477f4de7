"""Labelled data sets: a folder of folders, a manifest, an archive, or the solar cells that come as a package."""

from doubleread.core.problem import RowProblem
from doubleread.evals.datasets.read import read_dataset
from doubleread.evals.datasets.record import Dataset, Progress

__all__ = ["Dataset", "Progress", "RowProblem", "read_dataset"]
