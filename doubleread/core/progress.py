"""How long work reports its progress."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the stage's name, how much is done, and how much there is."""


def silent(*_: object) -> None:
    """Reports nothing: pass it as ``progress`` where no progress should be shown.

    Examples:
        >>> dataset = doubleread.read_dataset("photos", progress=doubleread.silent)
    """


__all__ = ["Progress", "silent"]
