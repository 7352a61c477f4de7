"""What the log of sessions needs of a database: short statements, all or nothing, from any thread."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Cursor(Protocol):
    """What a statement found."""

    @property
    def rowcount(self) -> int:
        """Rows that it changed."""

    def fetchone(self) -> Any:
        """The next row as a tuple; None after the last."""

    def fetchall(self) -> list[Any]:
        """The rest."""


class Statements(Protocol):
    """Takes statements."""

    def execute(self, statement: str, values: Sequence[object] = ()) -> Cursor:
        """Carries one out; each ``?`` in it is the next of the values."""


class Database(Protocol):
    """Tables that several processes share."""

    @property
    def version(self) -> object:
        """Another one whenever another process has written."""

    def reading(self) -> AbstractContextManager[Statements]:
        """For questions."""

    def writing(self) -> AbstractContextManager[Statements]:
        """For changes, which all count when the block has ended, or none."""

    def close(self) -> None:
        """Lets go of it."""
