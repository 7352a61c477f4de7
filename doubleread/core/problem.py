"""One row of a data set that could not be used."""

from doubleread.core.base import Record


class RowProblem(Record):
    """A row or file of a data set that was left out, and why.

    Examples:
        >>> doubleread.read_dataset("photos").problems  # nothing was left out
        ()
    """

    where: str
    """``row 12`` of a manifest, or a path relative to the folder."""
    path: str = ""
    problem: str
    """The reason."""
