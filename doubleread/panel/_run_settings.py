"""Combines the settings that a panel was fitted with and this machine's settings for running it.

The scope of each setting decides (``core.authority``). Settings of scope ``run`` are taken from this machine if set
there; an empty text is not set. Tables of servers or recorded answers are replaced as a whole. Settings of this machine
that are ignored are reported.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from doubleread.core.authority import HERE, RUN, here, marker, scope
from doubleread.settings import Settings

Table = TypeVar("Table", bound=BaseModel)


def run_settings(fitted: Settings, now: Settings) -> Settings:
    """Returns the settings for running a panel, fitted with ``fitted``, on a machine with settings ``now``."""
    found: dict[str, Any] = {}
    for name, field in type(fitted).model_fields.items():
        ours, theirs = getattr(now, name), getattr(fitted, name)
        if marker(field) == HERE:
            found[name] = ours
        elif isinstance(theirs, BaseModel):
            found[name] = _merged(theirs, ours, field)
        else:
            found[name] = {
                one: _merged(table, ours[one], field, whole=True) if one in ours else _from_here(table)
                for one, table in theirs.items()
            }
    return fitted.model_copy(update=found)


def unused_settings(running: Settings, fitted: Settings, now: Settings) -> tuple[str, ...]:
    """Returns one line for each setting in ``now`` that the running panel ignores."""
    return tuple(
        f"{name}.{key} = {getattr(ours, key)!r} is not used: {_why(name, type(ours).model_fields[key], used)}"
        for name, theirs, stated, ours in _tables(running, fitted, now)
        for key in sorted(ours.model_fields_set)
        if _names(ours, key) and getattr(ours, key) not in (used := getattr(theirs, key), getattr(stated, key))
    )


def _why(table: str, field: FieldInfo, used: object) -> str:
    when = scope(field)
    if when is not None and when.along:
        return f"it counts only beside {table}.{when.along}"
    return f"the panel was fitted with {used!r}, and keeps it until it is fitted again"


def _merged(fitted: Table, now: BaseModel, table: FieldInfo, *, whole: bool = False) -> Table:
    """Merges a table; as a ``whole``, defaults are taken over too."""
    found = {}
    for key, field in type(fitted).model_fields.items():
        when = scope(field, table) or RUN
        if when.name == "run" and (whole or marker(field) == HERE or _names(now, when.along or key)):
            found[key] = getattr(now, key)
    return fitted.model_copy(update=found)


def _from_here(table: Table) -> Table:
    """A table that this machine does not have, without values that always come from this machine."""
    fields = type(table).model_fields
    return table.model_copy(update={name: fields[name].get_default() for name in here(type(table))})


def _names(table: BaseModel, key: str) -> bool:
    return key in table.model_fields_set and getattr(table, key) not in ("", None)


def _tables(*settings: Settings) -> Iterator[tuple[str, BaseModel, BaseModel, BaseModel]]:
    """Yields each table that all of them have, by name."""
    for name in type(settings[0]).model_fields:
        first, second, third = (getattr(one, name) for one in settings)
        if isinstance(first, BaseModel):
            yield name, first, second, third
        else:
            shared = first.keys() & second.keys() & third.keys()
            yield from ((f"{name}.{one}", first[one], second[one], third[one]) for one in sorted(shared))
