"""How long work reports its progress."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the stage's name, how much is done, and how much there is."""


def silent(stage: str, done: int, total: int) -> None:
    """Reports nothing."""
    del stage, done, total
