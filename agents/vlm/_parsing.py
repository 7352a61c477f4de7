"""Parses a model's text: tolerates wrapping, rejects ambiguous values."""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from doubleread.agents.wire.faults import CallFault, harmless
from doubleread.core.label_likeness import meant

MAX_FINDINGS = 2000
MAX_STATED = 1000
"""Largest stated number: some models state shares in per cent or per mille."""
TOLERATED_SUM = 0.02
MAX_LISTED = 1000
"""Labels of an answer."""
_WRAPPED = re.compile(r"(\*{1,3}|_{1,3}|`{1,3}|~~|\"|')(.+)\1\.?", re.DOTALL)


def distribution(value: Any, labels: Sequence[str]) -> tuple[float, ...]:
    """Returns the stated numbers in label order, from an object label → number or a list of labels with numbers.

    Raises ``CallFault``.
    """
    if isinstance(value, list):
        value = _listed(value)
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


def _listed(rows: Sequence[Any]) -> dict[str, Any] | None:
    """A list of objects that each hold a label and a number, as an object; None if it is anything else."""
    found: dict[str, Any] = {}
    for row in rows[:MAX_LISTED]:
        names = [one for one in row.values() if isinstance(one, str)] if isinstance(row, dict) else []
        numbers = [one for one in row.values() if not isinstance(one, str | bool)] if isinstance(row, dict) else []
        if len(names) != 1 or len(numbers) != 1 or names[0] in found:
            return None
        found[names[0]] = numbers[0]
    return found if len(rows) <= MAX_LISTED else None


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


def _bare(said: str) -> str:
    """Removes what wraps an answer on both sides, as in ``**rust**``, and a full stop or a quote at its ends."""
    text = said.strip()
    while (wrapped := _WRAPPED.fullmatch(text)) is not None:
        text = wrapped[2].strip()
    return text.strip(" .\"'")


def _brief(value: Any) -> str:
    return f"a JSON {type(value).__name__}" if isinstance(value, dict | list) else repr(value)
