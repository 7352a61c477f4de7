"""What a setting says of itself where it is declared: when it counts, and what it may make a machine do.

Every setting has a scope, its own or its table's: ``FIT`` or ``RUN``. A panel's folder may come from somebody else, and
holds settings: every setting that can hold text also says what it reaches. Both are markers in the annotation, as in
``url: Annotated[str, Asks("pictures are sent there"), RUN]``; a test finds a setting without.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Scope:
    """When a setting counts: ``fit``, what a panel was fitted with stays; ``run``, each loading may name another."""

    name: Literal["fit", "run"]
    along: str = ""
    """The setting of the same table that it goes with: it is taken over where that one is."""


FIT, RUN = Scope("fit"), Scope("run")


@dataclass(frozen=True)
class Asks:
    """The setting makes a machine contact, read, load or spend something.

    In a panel's folder it is a proposal: it counts where this machine's own settings say the same, or by consent.
    """

    effect: str
    """What happens with the value, for people."""
    value_of: str = ""
    """The property of the section that gives the value in effect, where that is not the field's own."""
    when: Callable[[Any], bool] = lambda _section: True
    """Whether it reaches anything, with the section as it is; an empty value never does."""

    def value(self, section: BaseModel, name: str) -> Any:
        """The value in effect; None where it reaches nothing."""
        found = section.model_dump(mode="json").get(name) if not self.value_of else getattr(section, self.value_of)
        return found if found and self.when(section) else None


@dataclass(frozen=True)
class Here:
    """The setting is always this machine's own, whatever a panel's folder says."""


@dataclass(frozen=True)
class Inert:
    """The setting reaches nothing: it is looked up in a table, or names a column."""


HERE, INERT = Here(), Inert()
Marker = Asks | Here | Inert


def marker(field: FieldInfo) -> Marker | None:
    """What a setting says of itself."""
    return next((one for one in field.metadata if isinstance(one, Asks | Here | Inert)), None)


def scope(field: FieldInfo, table: FieldInfo | None = None) -> Scope | None:
    """When a setting counts, by its own marker or by its table's; what is always this machine's is ``RUN``."""
    if isinstance(marker(field), Here) or (table is not None and isinstance(marker(table), Here)):
        return RUN
    found = next((one for one in field.metadata if isinstance(one, Scope)), None)
    return found if found is not None or table is None else scope(table)


def here(section: type[BaseModel]) -> list[str]:
    """Names of the settings that are always this machine's own."""
    return [name for name, field in section.model_fields.items() if isinstance(marker(field), Here)]


def asking(section: type[BaseModel]) -> dict[str, Asks]:
    """The settings that ask for something, by name."""
    found = {name: marker(field) for name, field in section.model_fields.items()}
    return {name: one for name, one in found.items() if isinstance(one, Asks)}
