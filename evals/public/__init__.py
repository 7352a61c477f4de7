"""Public data: where it is, what its files must be, and how they come onto this machine."""

from doubleread.evals.public._public_dataset import PublicDataset, PublicFile, find, public_datasets
from doubleread.evals.public.fetch import FetchedFile, fetch

__all__ = ["FetchedFile", "PublicDataset", "PublicFile", "fetch", "find", "public_datasets"]
