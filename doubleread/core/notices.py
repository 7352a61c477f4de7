"""Notes and warnings for people.

The library reports notes as strings. A note that makes results worse or less certain is a ``Caution``: it becomes a
warning. ``warn_user`` is the only way for warnings about data, panels and this machine to reach people: in Python and
in notebooks they appear as usual; the command line sets ``warnings.showwarning`` and prints them as lines.
"""

import inspect
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

NO_GROUPS = (
    "no groups given: if several images show one object (the same plant, patient or part), name their groups with "
    "group=… (--group); otherwise the measured accuracy may be too high"
)
"""Said wherever labelled images without groups are read or fitted on."""


_GIVEN: set[str] = set()
"""Texts that somebody was warned with in this process."""
_SAID: ContextVar[bool] = ContextVar("doubleread_already_said", default=False)


class DoublereadWarning(UserWarning):
    """Something about the data, the panel or this machine that makes results worse or less certain.

    Examples:
        >>> import warnings
        >>> warnings.simplefilter("ignore", doubleread.DoublereadWarning)  # if you know them all
    """


class Caution(str):
    """A note that is a warning."""

    __slots__ = ()


def cautions(texts: Iterable[str]) -> tuple[Caution, ...]:
    """Returns the texts that are not empty, as warnings."""
    return tuple(Caution(text) for text in texts if text)


def divided(notes: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns the notes that are information, and the warnings, each text once and as a plain string."""
    known = dict.fromkeys(note for note in notes if note)
    information = tuple(str(note) for note in known if not isinstance(note, Caution))
    return information, tuple(str(note) for note in known if isinstance(note, Caution))


def first_few(lines: Sequence[str], more: str, shown: int = 10) -> tuple[str, ...]:
    """Returns the first lines; ``more`` announces the rest, as in ``{n:,} more rows``."""
    rest = len(lines) - shown
    return (*lines[:shown], *((f"… and {more.format(n=rest)}",) if rest > 0 else ()))


@contextmanager
def already_said() -> Iterator[None]:
    """Within it nobody is warned, since the same warnings come from elsewhere."""
    token = _SAID.set(True)
    try:
        yield
    finally:
        _SAID.reset(token)


def warn_user(texts: Iterable[str]) -> None:
    """Warns once for each text, as if the caller outside doubleread had done it."""
    if _SAID.get():
        return
    depth, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_back and frame.f_globals.get("__name__", "").split(".")[0] == "doubleread":
        depth, frame = depth + 1, frame.f_back
    for text in dict.fromkeys(texts):
        _GIVEN.add(text)
        warnings.warn(text, DoublereadWarning, stacklevel=depth)


def unless_given(texts: Iterable[str]) -> list[str]:
    """Returns the texts without ``NO_GROUPS`` if reading the data has warned of it already."""
    return [text for text in texts if text != NO_GROUPS or text not in _GIVEN]
