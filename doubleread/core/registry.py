"""Tables of named parts, open to other packages through entry points."""

from collections.abc import Callable, Collection, Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, NamedTuple

from doubleread.core.errors import UnknownPart


class PartRow(NamedTuple):
    """A part as ``module:attribute``, and what must be known of it before it is loaded."""

    where: str
    traits: Collection[str] = ()


class Registry:
    """Named parts of one kind, each a row, so that a heavy module loads only when it is chosen.

    Another package adds its own through an entry point of the group ``doubleread.<plural kind>``. The contract tests
    run on every name there is; a part of another package has no traits.
    """

    def __init__(self, kind: str, group: str, table: Mapping[str, str | PartRow]) -> None:
        self._kind, self._group = kind, group
        self._table = {name: row if isinstance(row, PartRow) else PartRow(row) for name, row in table.items()}

    @property
    def built_in(self) -> frozenset[str]:
        """The names of this package's own parts."""
        return frozenset(self._table)

    def names(self) -> tuple[str, ...]:
        """Every name that ``get`` accepts, sorted."""
        return tuple(sorted({*self._table, *self._foreign()}))

    def having(self, trait: str) -> frozenset[str]:
        """The names of the parts whose rows say so."""
        return frozenset(name for name, row in self._table.items() if trait in row.traits)

    def get(self, name: str) -> Any:
        """The part of that name; raises ``UnknownPart`` with the valid names."""
        module, attribute = self._home(name)
        return getattr(import_module(module), attribute)

    def example(self, name: str) -> Callable[..., Any] | None:
        """The function ``example`` beside the part, which makes one for the contract tests; None without one."""
        found: Callable[..., Any] | None = getattr(import_module(self._home(name)[0]), "example", None)
        return found

    def check(self, names: Iterable[str]) -> None:
        """Raises ``UnknownPart`` for the first name that ``get`` would not accept, loading nothing."""
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
