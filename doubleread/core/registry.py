"""Tables of named parts, open to other packages through entry points."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from doubleread.core.errors import UnknownPart


class Registry:
    """Named parts of one kind, given as ``module:attribute`` so that a heavy module loads only when chosen.

    Another package adds its own through an entry point of the group ``doubleread.<plural kind>``.
    """

    def __init__(self, kind: str, group: str, table: Mapping[str, str]) -> None:
        self._kind, self._group, self._table = kind, group, dict(table)

    def names(self) -> tuple[str, ...]:
        """Every name that ``get`` accepts, sorted."""
        return tuple(sorted({*self._table, *self._foreign()}))

    def get(self, name: str) -> Any:
        """The part of that name; raises ``UnknownPart`` with the valid names."""
        if name in self._table:
            module, attribute = self._table[name].split(":")
            return getattr(import_module(module), attribute)
        foreign = self._foreign()
        if name in foreign:
            return foreign[name].load()
        raise UnknownPart(self._kind, name, self.names())

    def check(self, names: Iterable[str]) -> None:
        """Raises ``UnknownPart`` for the first name that ``get`` would not accept, loading nothing."""
        for name in names:
            if name not in self.names():
                raise UnknownPart(self._kind, name, self.names())

    def _foreign(self) -> dict[str, Any]:
        return {entry.name: entry for entry in entry_points(group=self._group)}
