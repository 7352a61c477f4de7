"""Registries of named parts, which other packages extend through entry points."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from doubleread.core.errors import UnknownPart


class Registry:
    """The parts of one kind, by name.

    A part is imported when it is first asked for. Another package adds its own parts through an entry point of the
    registry's group, such as ``doubleread.agents``.

    Examples:
        >>> from doubleread.orchestrator.calibration import CALIBRATORS
        >>> CALIBRATORS.get("temperature").__name__
        'Temperature'
        >>> CALIBRATORS.get("temprature")
        Traceback (most recent call last):
        ...
        doubleread.core.errors.UnknownPart: unknown calibrator 'temprature'; known: beta, ...
    """

    def __init__(self, kind: str, group: str, table: Mapping[str, str]) -> None:
        self._kind, self._group, self._table = kind, group, dict(table)

    def names(self) -> tuple[str, ...]:
        """Returns all names, sorted."""
        return tuple(sorted({*self._table, *self._foreign()}))

    def get(self, name: str) -> Any:
        """Returns the part of that name.

        Raises:
            UnknownPart: There is none; the message lists the names.
        """
        if name in self._table:
            module, attribute = self._table[name].split(":")
            return getattr(import_module(module), attribute)
        foreign = self._foreign()
        if name in foreign:
            return foreign[name].load()
        raise UnknownPart(self._kind, name, self.names())

    def check(self, names: Iterable[str]) -> None:
        """Checks names without importing the parts.

        Raises:
            UnknownPart: A name is not registered.
        """
        for name in names:
            if name not in self.names():
                raise UnknownPart(self._kind, name, self.names())

    def _foreign(self) -> dict[str, Any]:
        return {entry.name: entry for entry in entry_points(group=self._group)}


__all__ = ["Registry"]
