"""Markers of settings: when a setting applies, and what it may make a machine do.

Every setting has a scope, its own or its table's: ``FIT`` or ``RUN``. A panel's folder contains settings and may come
from an untrusted source, so every setting that can hold text also states what it affects. Both are markers in the
annotation, as in ``url: Annotated[str, Asks("pictures are sent there"), RUN]``; a test enforces them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo


@dataclass(frozen=True)
class Scope:
    """When a setting applies. ``fit``: fixed when a panel is fitted; ``run``: may differ at each use."""

    name: Literal["fit", "run"]
    along: str = ""
    """A setting of the same table that this one follows: it is taken over together with that one."""


FIT, RUN = Scope("fit"), Scope("run")


@dataclass(frozen=True)
class Asks:
    """The setting makes a machine contact, read, load or spend something.

    A value from a panel's folder is used only if this machine's own settings have the same value, or with consent.
    """

    effect: str
    """What the value causes, in words for users."""
    value_of: str = ""
    """Property of the section that gives the effective value, if it is not the field itself."""
    when: Callable[[Any], bool] = lambda _section: True
    """Whether it has an effect, given the section; an empty value never does."""

    def value(self, section: BaseModel, name: str) -> Any:
        """Returns the effective value; None if it has no effect."""
        found = section.model_dump(mode="json").get(name) if not self.value_of else getattr(section, self.value_of)
        return found if found and self.when(section) else None


@dataclass(frozen=True)
class Here:
    """The setting always comes from this machine, never from a panel's folder."""


@dataclass(frozen=True)
class Inert:
    """The setting has no external effect: it is a key of a registry, or names a column."""


HERE, INERT = Here(), Inert()
Marker = Asks | Here | Inert


def marker(field: FieldInfo) -> Marker | None:
    """Returns the marker of a setting."""
    return next((one for one in field.metadata if isinstance(one, Asks | Here | Inert)), None)


def scope(field: FieldInfo, table: FieldInfo | None = None) -> Scope | None:
    """Returns the scope of a setting or its table; settings that always come from this machine are ``RUN``."""
    if isinstance(marker(field), Here) or (table is not None and isinstance(marker(table), Here)):
        return RUN
    found = next((one for one in field.metadata if isinstance(one, Scope)), None)
    return found if found is not None or table is None else scope(table)


def here(section: type[BaseModel]) -> list[str]:
    """Returns the names of the settings that always come from this machine."""
    return [name for name, field in section.model_fields.items() if isinstance(marker(field), Here)]


def asking(section: type[BaseModel]) -> dict[str, Asks]:
    """Returns the ``Asks`` markers of a section, by setting."""
    found = {name: marker(field) for name, field in section.model_fields.items()}
    return {name: one for name, one in found.items() if isinstance(one, Asks)}
