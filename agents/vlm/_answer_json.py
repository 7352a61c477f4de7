"""Finds the JSON object of an answer in a model's text: strictly first, then tolerantly.

The tolerant reader (json-repair) sees only objects whose brackets are closed, so that it cannot complete what was cut
off, and a repaired object with a repeated key is refused.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from json_repair import repair_json

from doubleread.agents.vlm._refusal_words import refused
from doubleread.agents.wire.faults import CallFault, harmless
from doubleread.core.types import Json

MAX_ANSWER = 100_000
"""Longest answer in characters, without thoughts. Every form needs far less."""
MAX_REPAIRED, MAX_DEPTH, MAX_OBJECTS = 20_000, 20, 50
"""Characters and depth of an object that is repaired, and objects of one answer that are tried."""
_THOUGHTS = re.compile(r"<(/?)(?:think(?:ing)?|thoughts?|reasoning|reflection)>", re.IGNORECASE)
_FINAL = re.compile(r"<\|channel\|>\s*final\s*<\|message\|>")
"""Where the answer begins in OpenAI's harmony format, if a server leaves its marks in."""
Fits = Callable[[Json], bool]
"""Whether an object can be the answer."""


def answer_object(text: str, fits: Fits) -> Json:
    """Returns the first JSON object that fits, also one level deep in another object or encoded as a string.

    If none fits, returns the first object. Repeated keys, NaN and infinities are refused as ambiguous. Raises
    ``CallFault``: ``refusal`` if there is no object and the words decline the question, else ``invalid-answer``.
    """
    spoken = without_thoughts(text)
    if len(spoken) > MAX_ANSWER:
        raise CallFault("invalid-answer", f"the answer has {len(spoken):,} characters; at most {MAX_ANSWER:,} are read")
    faults: list[str] = []
    strict = list(_strict(spoken, faults))
    if (found := _fitting(strict, fits)) is not None:
        return found
    repaired = [] if faults else list(_repaired(spoken))
    found = _fitting(repaired, fits)
    if found is None:
        found = next(iter([*strict, *repaired]), None)
    if found is not None and not faults:
        return found
    if not faults and refused(spoken):
        raise CallFault("refusal", harmless(f"the model declined in words: {spoken.strip()}"))
    why = f" ({faults[0]})" if faults else ""
    raise CallFault("invalid-answer", f"no JSON object in the answer{why}: {harmless(text)[:80]}")


def without_thoughts(text: str) -> str:
    """Removes thoughts: from ``<think>`` to ``</think>``, and what stands before a lone ``</think>``.

    An unclosed ``<think>`` is kept, as the answer may follow it.
    """
    final = list(_FINAL.finditer(text))
    if final:
        text = text[final[-1].end() :]
    kept, at, opened = list[str](), 0, None
    for tag in _THOUGHTS.finditer(text):
        if not tag[1] and opened is None:
            opened = tag.start()
        elif tag[1] and opened is not None:
            kept.append(text[at:opened])
            at, opened = tag.end(), None
        elif tag[1] and not kept and "{" in text[tag.end() :]:
            at = tag.end()
    return "".join([*kept, text[at:]])


def _fitting(found: list[Json], fits: Fits) -> Json | None:
    for one in found:
        if fits(one):
            return one
        for inner in one.values():
            inside = [inner] if isinstance(inner, dict) else _encoded(inner)
            if (fitting := next((each for each in inside if fits(each)), None)) is not None:
                return fitting
    return None


def _encoded(value: Any) -> list[Json]:
    """Objects in a string of JSON."""
    return list(_strict(value, [])) if isinstance(value, str) and "{" in value else []


def _strict(text: str, faults: list[str]) -> Iterator[Json]:
    """The JSON objects in a text, in order. Line breaks inside strings are allowed."""
    if text.lstrip().startswith('"'):
        text = _unquoted(text)
    decoder = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_refuse, strict=False)
    at = text.find("{")
    while at >= 0:
        try:
            found, end = decoder.raw_decode(text, at)
            yield found
        except json.JSONDecodeError:
            end = at + 1
        except (ValueError, RecursionError) as error:
            faults.append(str(error) or type(error).__name__)
            return
        at = text.find("{", end)


def _unquoted(text: str) -> str:
    """The JSON string that a text begins with, decoded; the text itself if it is none."""
    try:
        whole, _ = json.JSONDecoder(strict=False).raw_decode(text.lstrip())
    except ValueError:
        return text
    return whole if isinstance(whole, str) else text


def _repaired(text: str) -> Iterator[Json]:
    """The closed objects of a text, repaired."""
    for region in _closed_regions(text):
        found = repair_json(region, return_objects=True, skip_json_loads=True)
        if isinstance(found, dict) and not _repeated(found, region):
            yield found


def _closed_regions(text: str) -> Iterator[str]:
    """Parts of the text from an opening bracket to the one that closes it, outside of strings."""
    depth, start, quoted, count, skip = 0, 0, False, 0, False
    for at, sign in enumerate(text):
        if skip:
            skip = False
        elif quoted:
            skip, quoted = sign == "\\", sign != '"'
        elif sign == '"' and depth:
            quoted = True
        elif sign == "{":
            start, depth = (at if not depth else start), depth + 1
        elif sign == "}" and depth:
            depth -= 1
            if not depth:
                count += 1
                if count <= MAX_OBJECTS and at - start < MAX_REPAIRED and text.count("{", start, at) <= MAX_DEPTH:
                    yield text[start : at + 1]


def _repeated(found: Any, region: str) -> bool:
    """Whether a key stands in the text more often than in the repaired object."""
    keys: list[str] = []
    _keys(found, keys)
    return any(
        len(re.findall(rf"(?<![\w-])[\"']?{re.escape(key)}[\"']?\s*:", region)) > keys.count(key) for key in set(keys)
    )


def _keys(value: Any, keys: list[str]) -> None:
    if isinstance(value, dict):
        for key, one in value.items():
            keys.append(str(key))
            _keys(one, keys)
    elif isinstance(value, list):
        for one in value:
            _keys(one, keys)


def _distinct(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")
