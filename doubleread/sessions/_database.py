"""The database interface of the session log: short atomic statements, callable from any thread."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """Number of rows changed."""

    def fetchone(self) -> Any:
        """Returns the next row as a tuple; None after the last."""

    def fetchall(self) -> list[Any]:
        """Returns the remaining rows."""


class Statements(Protocol):
    """Executes statements."""

    def execute(self, statement: str, values: Sequence[object] = ()) -> Cursor:
        """Executes a statement; each ``?`` stands for the next value."""


class Database(Protocol):
    """Tables shared by several processes."""

    @property
    def version(self) -> object:
        """Changes whenever another process has written."""

    def reading(self) -> AbstractContextManager[Statements]:
        """Opens a block for queries."""

    def writing(self) -> AbstractContextManager[Statements]:
        """Opens a block for changes, which are committed together at its end, or not at all."""

    def close(self) -> None:
        """Closes the connection."""
