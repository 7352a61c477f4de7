"""What an evaluation leaves out of its figures, counted by reason and in words."""

from collections.abc import Mapping

MOST = 0.05
"""Largest share of images that may be left out without a failure."""

ROWS = "unusable-row"
"""Rows of the data that gave no case."""
REASONS = {
    "unknown-label": ("has a label", "have labels", "that the panel does not know"),
    "no-label": ("has", "have", "no true label"),
    "unread": ("could", "could", "not be read"),
    "no-answer": ("got", "got", "no answer from any agent"),
    ROWS: ("is", "are", "listed in the data but cannot be used"),
}
"""Every reason, and how it is told of one image and of several."""


def counted(**numbers: int) -> dict[str, int]:
    """Returns the reasons that apply, by name (``_`` for ``-``), each with its number of images."""
    return {name.replace("_", "-"): n for name, n in numbers.items() if n}


def reasons(left_out: Mapping[str, int]) -> str:
    """Returns the reasons in words: ``10 have labels that the panel does not know and 2 could not be read``."""
    said = [_told(n, *REASONS[name]) for name, n in left_out.items()]
    return " and ".join(filter(None, (", ".join(said[:-1]), *said[-1:])))


def _told(n: int, one: str, more: str, rest: str) -> str:
    return f"{n:,} {one if n == 1 else more} {rest}"
