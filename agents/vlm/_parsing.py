"""Parses a model's text: tolerates wrapping, rejects ambiguous values."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from doubleread.agents.wire.faults import CallFault, harmless
from doubleread.core.label_likeness import meant
from doubleread.core.types import Json

MAX_FINDINGS = 2000
MAX_ANSWER = 100_000
"""Longest answer in characters, without thoughts. Every form needs far less."""
MAX_STATED = 1000
"""Largest stated number: some models state shares in per cent or per mille."""
TOLERATED_SUM = 0.02
_WRAPPED = re.compile(r"(\*{1,3}|_{1,3}|`{1,3}|~~|\"|')(.+)\1\.?", re.DOTALL)
_THOUGHTS = re.compile(r"<(/?)think(?:ing)?>", re.IGNORECASE)


def json_object(text: str) -> Json:
    """Returns the last JSON object in a text; raises ``CallFault`` if there is none.

    Repeated keys, NaN and infinities are refused as ambiguous.
    """
    faults: list[str] = []
    spoken = _without_thoughts(text)
    if len(spoken) > MAX_ANSWER:
        raise CallFault("invalid-answer", f"the answer has {len(spoken):,} characters; at most {MAX_ANSWER:,} are read")
    found = list(_objects(spoken, faults))
    if not found:
        why = f" ({faults[0]})" if faults else ""
        raise CallFault("invalid-answer", f"no JSON object in the answer{why}: {harmless(text)[:80]}")
    return found[-1]


def distribution(value: Any, labels: Sequence[str]) -> tuple[float, ...]:
    """Returns the stated numbers in label order, from an object label → number. Raises ``CallFault``."""
    if not isinstance(value, Mapping):
        raise CallFault("invalid-answer", "the answer holds no `probabilities` object")
    some = islice(value.items(), len(labels) + 1)  # one extra entry reveals unknown or repeated labels
    stated = {matching(name, labels): number(share) for name, share in some}
    if missing := [label for label in labels if label not in stated]:
        raise CallFault("invalid-answer", harmless(f"no probability for {', '.join(missing)}"))
    if len(stated) < len(value):
        raise CallFault("invalid-answer", "a label is given two probabilities")
    if not sum(stated.values()) > 0:
        raise CallFault("invalid-answer", "all probabilities are 0")
    return tuple(stated[label] for label in labels)


def number(value: Any) -> float:
    """Parses a finite number of at least 0, also from text and percentages. Raises ``CallFault``."""
    try:
        if isinstance(value, bool):
            raise TypeError
        percent = isinstance(value, str) and value.strip().endswith("%")
        found = float(value.strip().rstrip("%")) / 100 if percent else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not 0 <= found <= MAX_STATED:  # also true for NaN
        raise CallFault("invalid-answer", harmless(f"{_brief(value)} is no probability"))
    return found


def words(value: Any) -> str:
    """Text of an answer, also given as a list of texts; empty for anything else."""
    parts = value if isinstance(value, list) else [value]
    return "; ".join(part for part in parts if isinstance(part, str))


def matching(said: str, labels: Sequence[str]) -> str:
    """Returns the label as spelled, or the only one that differs just in case, blanks and dashes between words.

    Signs count: ``HER2`` is neither ``HER2-`` nor ``HER2+``. Quotes and Markdown around the answer do not.
    """
    found = meant(said, labels) or meant(_bare(said), labels)
    if found is None:
        raise CallFault("invalid-answer", harmless(f"{said!r} is none of the labels {', '.join(labels)}"))
    return found


def _without_thoughts(text: str) -> str:
    """Removes text from ``<think>`` to the next ``</think>``; keeps an unclosed one."""
    kept, at, opened = [], 0, None
    for tag in _THOUGHTS.finditer(text):
        if not tag[1] and opened is None:
            opened = tag.start()
        elif tag[1] and opened is not None:
            kept.append(text[at:opened])
            at, opened = tag.end(), None
    return "".join([*kept, text[at:]])


def _bare(said: str) -> str:
    """Removes what wraps an answer on both sides, as in ``**rust**``, and a full stop or a quote at its ends."""
    text = said.strip()
    while (wrapped := _WRAPPED.fullmatch(text)) is not None:
        text = wrapped[2].strip()
    return text.strip(" .\"'")


def _brief(value: Any) -> str:
    return f"a JSON {type(value).__name__}" if isinstance(value, dict | list) else repr(value)


def _objects(text: str, faults: list[str]) -> Iterator[Json]:
    decoder = json.JSONDecoder(object_pairs_hook=_distinct, parse_constant=_refuse)
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


def _distinct(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number")
