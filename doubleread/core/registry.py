"""Registries of named parts, which other packages extend through entry points."""

from collections.abc import Callable, Collection, Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

from doubleread.core.errors import UnknownPart


class PartRow(NamedTuple):
    """One registered part.

    Examples:
        >>> from doubleread.core.registry import PartRow
        >>> PartRow("my_package.my_encoder:build", {"text"}).traits
        {'text'}
    """

    where: str
    """Location: ``module:attribute``."""
    traits: Collection[str] = ()
    """Properties that must be known before the part is imported."""


class Registry:
    """The parts of one kind, by name.

    A part is imported when it is first asked for. Another package adds its own parts through an entry point of the
    registry's group, such as ``doubleread.agents``; these have no traits. The contract tests run on every name.

    Examples:
        >>> from doubleread.orchestrator.calibration import CALIBRATORS
        >>> CALIBRATORS.get("temperature").__name__
        'Temperature'
        >>> CALIBRATORS.get("temprature")
        Traceback (most recent call last):
        ...
        doubleread.core.errors.UnknownPart: unknown calibrator 'temprature'; known: beta, ...
    """

    def __init__(self, kind: str, group: str, table: Mapping[str, str | PartRow]) -> None:
        self._kind, self._group = kind, group
        self._table = {name: row if isinstance(row, PartRow) else PartRow(row) for name, row in table.items()}

    @property
    def built_in(self) -> frozenset[str]:
        """The names of this package's own parts."""
        return frozenset(self._table)

    def names(self) -> tuple[str, ...]:
        """Returns all names, sorted."""
        return tuple(sorted({*self._table, *self._foreign()}))

    def having(self, trait: str) -> frozenset[str]:
        """Returns the names of the parts with a trait."""
        return frozenset(name for name, row in self._table.items() if trait in row.traits)

    def get(self, name: str) -> Any:
        """Returns the part of that name.

        Raises:
            UnknownPart: There is none; the message lists the names.
        """
        module, attribute = self._home(name)
        return getattr(import_module(module), attribute)

    def example(self, name: str) -> Callable[..., Any] | None:
        """Returns the function ``example`` of the part's module, which makes one for the contract tests, or None."""
        found: Callable[..., Any] | None = getattr(import_module(self._home(name)[0]), "example", None)
        return found

    def check(self, names: Iterable[str]) -> None:
        """Checks names without importing the parts.

        Raises:
            UnknownPart: A name is not registered.
        """
        for name in names:
            if name not in self.names():
                raise UnknownPart(self._kind, name, self.names())

    def _home(self, name: str) -> tuple[str, str]:
        if name in self._table:
            module, _, attribute = self._table[name].where.partition(":")
            return module, attribute
        foreign = self._foreign()
        if name not in foreign:
            raise UnknownPart(self._kind, name, self.names())
        return foreign[name].module, foreign[name].attr

    def _foreign(self) -> dict[str, EntryPoint]:
        return {entry.name: entry for entry in entry_points(group=self._group)}


__all__ = ["PartRow", "Registry"]
