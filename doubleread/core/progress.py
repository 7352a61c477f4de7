"""Progress of long work, as its caller sees it."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the stage's name, how much is done, and how much there is."""


def silent(stage: str, done: int, total: int) -> None:
    """The progress of nobody watching."""
    del stage, done, total
