"""One row of a data set that could not be used."""

from doubleread.core.base import Record


class RowProblem(Record):
    """One row or file that was left out, and why."""

    where: str
    """``row 12`` of a manifest, or a path relative to the folder."""
    path: str = ""
    problem: str
