"""Public data: where it is, what its files must be, and how they come onto this machine."""

from doubleread.evals.public.fetch import FetchedFile, fetch
from doubleread.evals.public.public_dataset import PublicDataset, PublicFile, find, public_datasets

__all__ = ["FetchedFile", "PublicDataset", "PublicFile", "fetch", "find", "public_datasets"]
