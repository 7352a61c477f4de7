"""Public data: where it is, what its files must be, and how they come onto this machine."""

from doubleread.evals.public.fetch import Fetched, fetch
from doubleread.evals.public.public_dataset import File, PublicDataset, find, table

__all__ = ["Fetched", "File", "PublicDataset", "fetch", "find", "table"]
