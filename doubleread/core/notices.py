"""Warnings for people, by one way to every front end: Python's ``warnings``.

The library calls ``warn_user``. In Python and in notebooks the warning appears as usual; the command line, which sets
``warnings.showwarning``, prints it as a line. No front end has warnings of its own about data or panels.
"""

import inspect
import warnings
from collections.abc import Iterable


class DoublereadWarning(UserWarning):
    """Something about the data, the panel or this machine that makes results worse or less certain.

    Examples:
        >>> import warnings
        >>> warnings.simplefilter("ignore", doubleread.DoublereadWarning)  # if you know them all
    """


def warn_user(texts: Iterable[str]) -> None:
    """Warns once for each text, as if the caller outside doubleread had done it."""
    depth, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_back and frame.f_globals.get("__name__", "").startswith("doubleread"):
        depth, frame = depth + 1, frame.f_back
    for text in dict.fromkeys(texts):
        warnings.warn(text, DoublereadWarning, stacklevel=depth)
