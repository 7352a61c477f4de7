"""Labelled data sets: a folder of folders, a manifest, an archive, or the solar cells that come as a package."""

from doubleread.core.case import RowProblem
from doubleread.evals.datasets._dataset_record import Dataset, LabelledCases, RowProgress
from doubleread.evals.datasets.read import read_dataset, read_labelled

__all__ = ["Dataset", "LabelledCases", "RowProblem", "RowProgress", "read_dataset", "read_labelled"]
