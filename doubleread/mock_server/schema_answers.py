"""Invents a JSON value that fits any schema of the kind that OpenAI's structured outputs take.

A schema with other keywords is refused by name, since nothing would say whether the value fits it.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

from doubleread.core.types import Json
from doubleread.mock_server._schema_values import BOUNDS, Misfit, number_of, text_of
from doubleread.mock_server.asked import Refused

DEEP = 4
"""Levels from which on optional parts are left out."""
DEEPEST = 24
"""Levels of the deepest answer."""
MAX_STEPS = 10_000
"""Most values in one answer."""
_NOTES = {"title", "description", "default", "examples", "deprecated", "$schema", "$id", "$comment", "$defs"}
_NOTES |= {"definitions", "strict", "readOnly", "writeOnly"}
_ABOUT: dict[str, tuple[str, ...]] = {
    "object": ("properties", "required", "additionalProperties"),
    "array": ("items", "minItems", "maxItems"),
    "string": ("minLength", "maxLength", "format"),
    "number": (*BOUNDS, "multipleOf"),
}
_KNOWN = _NOTES | {"type", "enum", "const", "anyOf", "$ref"} | {key for keys in _ABOUT.values() for key in keys}


def answer_for(schema: Json, hints: Mapping[str, Any], liked: str, name: str = "response_format") -> Json:
    """Returns an object that fits the schema, or raises ``Refused``.

    ``hints`` are values for properties of these names, used where they fit; ``liked`` is taken from any list of
    options that has it.
    """
    try:
        made = _Filler(schema, liked).value(schema, dict(hints), 0)
    except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError, RecursionError):
        raise Refused(f"Invalid schema for {name}: it cannot be read.", param=name, code="invalid_schema") from None
    except Misfit as misfit:
        raise Refused(f"Invalid schema for {name}: {misfit}.", param=name, code="invalid_schema") from None
    if isinstance(made, dict):
        return made
    raise Refused(f'Invalid schema for {name}: its type must be "object".', param=name, code="invalid_schema")


def listed(schema: Json | None, name: str) -> list[str]:
    """Returns the texts among which a schema lets a property choose; empty if it does not."""
    part = schema.get("properties") if schema else None
    part = part.get(name) if isinstance(part, dict) else None
    options = part.get("enum") if isinstance(part, dict) else None
    return [one for one in options if isinstance(one, str)] if isinstance(options, list) else []


class _Filler:
    def __init__(self, root: Json, liked: str) -> None:
        self._root, self._liked, self._steps = root, liked, 0
        self._makers: dict[str, Callable[[Json, Any, int], Any]] = {
            "object": self._object,
            "array": self._array,
            "string": text_of,
            "number": number_of,
            "integer": partial(number_of, whole=True),
            "boolean": lambda _, hint, __: hint if isinstance(hint, bool) else True,
            "null": lambda *_: None,
        }

    def value(self, schema: Any, hint: Any, depth: int) -> Any:
        """Returns a value of this schema: the hint, if that fits."""
        self._steps += 1
        if self._steps > MAX_STEPS or depth > DEEPEST:
            raise Misfit("the answer would be too large or too deep")
        schema = {} if schema is True else schema
        if not isinstance(schema, dict):
            raise Misfit("no value fits a part of it")
        if unknown := sorted(set(schema) - _KNOWN):
            raise Misfit(f"the mock server does not know {unknown[0]!r}")
        if "$ref" in schema or "anyOf" in schema:
            return self._first(partial(self.value, one, hint, depth + 1) for one in self._options(schema, depth))
        kinds = schema.get("type", _kinds(schema))
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if "enum" in schema or "const" in schema:
            return self._listed(schema, hint, kinds if "type" in schema else list(self._makers))
        return self._first(partial(self._makers[kind], schema, hint, depth) for kind in _null_last(kinds, depth))

    def _options(self, schema: Json, depth: int) -> list[Any]:
        key = "$ref" if "$ref" in schema else "anyOf"
        if beside := sorted(set(schema) - _NOTES - {key}):
            raise Misfit(f"the mock server does not know {beside[0]!r} beside {key!r}")
        return [self._target(schema[key])] if key == "$ref" else _null_last(schema[key], depth)

    def _first(self, makers: Iterable[Callable[[], Any]]) -> Any:
        misfit = Misfit("no value fits a part of it")
        for make in makers:
            try:
                return make()
            except Misfit as found:
                misfit = found
        raise misfit

    def _listed(self, schema: Json, hint: Any, kinds: list[str]) -> Any:
        if beside := sorted(set(schema) - _NOTES - {"type", "enum", "const"}):
            raise Misfit(f"the mock server does not know {beside[0]!r} beside listed values")
        options = [one for one in schema.get("enum", [schema.get("const")]) if any(_is(kind, one) for kind in kinds)]
        if "const" in schema:
            options = [one for one in options if _same(one, schema["const"])]
        if not options:
            raise Misfit("no listed value has the right type")
        return next((one for like in (self._liked, hint) for one in options if _same(one, like)), options[0])

    def _object(self, schema: Json, hint: Any, depth: int) -> Json:
        properties, required = schema.get("properties", {}), schema.get("required", [])
        if not isinstance(required, list):
            raise TypeError
        made, hints = {}, hint if isinstance(hint, dict) else {}
        for name in [*properties, *(name for name in required if name not in properties)]:
            if name not in required and depth >= DEEP:
                continue
            part = properties[name] if name in properties else schema.get("additionalProperties", True)
            try:
                made[name] = self.value(part, hints.get(name), depth + 1)
            except Misfit:
                if name in required:
                    raise
        return made

    def _array(self, schema: Json, _: Any, depth: int) -> list[Any]:
        least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
        count = max(least, 0 if depth >= DEEP else min(1, most))
        if count > most:
            raise Misfit("its arrays have more items at least than at most")
        try:
            return [self.value(schema.get("items", True), None, depth + 1) for _ in range(count)]
        except Misfit:
            if least:
                raise
        return []

    def _target(self, reference: str) -> Any:
        if reference != "#" and not reference.startswith("#/"):
            raise Misfit(f"the mock server does not follow the reference {reference[:80]!r}")
        found: Any = self._root
        for step in reference.split("/")[1:]:
            found = found[unquote(step).replace("~1", "/").replace("~0", "~")]
        return found


def _null_last(options: list[Any], depth: int) -> list[Any]:
    """The options with null last, or first where the answer is deep already."""
    return sorted(options, key=lambda one: (one in ("null", {"type": "null"})) != (depth >= DEEP))


def _kinds(schema: Json) -> list[str]:
    """The type of a schema that names none, by its other keywords."""
    return [kind for kind, keys in _ABOUT.items() if set(keys) & set(schema)] or ["string"]


def _is(kind: str, value: Any) -> bool:
    kinds: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
    if kind in kinds:
        return isinstance(value, kinds[kind])
    return isinstance(value, int | float) and not isinstance(value, bool) and (kind == "number" or value == int(value))


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other
