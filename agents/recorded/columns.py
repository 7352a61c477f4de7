"""Converts rows of external tables to answers."""

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.label_text import as_known
from doubleread.core.opinion import Abstention, Answer, ConfidenceSource, Opinion, Usage
from doubleread.core.safe_files import parse_json
from doubleread.core.task import Task

TOLERATED_SUM = 0.02
_LABEL_KEYS, _SHARE_KEYS = ("label", "category"), ("probability", "confidence")


class AnswerColumns(Record):
    """Names of the columns of one round's answers."""

    key: str = Field(description="Column that says which case a row is about.")
    key_is: Literal["id", "name", "stem", "source"] = Field(
        default="name",
        description="What that column holds: the case's id, or its file name, name without suffix, or source.",
    )
    label: str = Field(default="", description="Column of the label that was named.")
    confidence: str = Field(default="", description="Column of the label's confidence.")
    scale: float = Field(default=1.0, gt=0, description="Factor that brings confidences to 0–1; 0.01 for percentages.")
    probabilities: str = Field(
        default="",
        description="Column of a distribution as JSON: an object label: p, or a list of objects with a label (or "
        "category) and a probability (or confidence).",
    )
    prefix: str = Field(default="", description="Prefix of one column a label, with its probability.")
    reason: str = ""
    seconds: str = ""
    cost_usd: str = ""
    confidence_source: ConfidenceSource = "recorded"
    second: "AnswerColumns | None" = Field(default=None, description="The second round's columns, in the same rows.")


def answer_of(row: Mapping[str, Any], columns: AnswerColumns, agent: str, round_: int, task: Task) -> Answer:
    """Converts a row to an answer; a row without a label becomes an abstention."""
    said = {
        "agent": agent,
        "round": round_,
        "seconds": _number(row, columns.seconds) or 0.0,
        "usage": Usage(cost_usd=_number(row, columns.cost_usd) or 0.0),
    }
    shares = _shares(row, columns, task)
    if shares is not None:
        top = max(shares, key=lambda name: shares[name])
        label, confidence = top, shares[top]
    else:
        label = str(row[columns.label]).strip() if columns.label else ""
        if not label:
            return Abstention(**said, cause="not-recorded", detail="the row names no label")
        label = as_known(label, task.names)
        if label not in task.names:
            raise ValueError(f"label {label[:60]!r} is none of {', '.join(task.names)}")
        confidence = _confidence(row, columns)
    return Opinion(
        **said,
        label=label,
        confidence=confidence,
        probabilities=shares or {},
        confidence_source=columns.confidence_source,
        reason=str(row[columns.reason] or "") if columns.reason else "",
        cached=True,
    )


def _shares(row: Mapping[str, Any], columns: AnswerColumns, task: Task) -> dict[str, float] | None:
    if columns.probabilities:
        stated = _stated(row[columns.probabilities])
    elif columns.prefix:
        stated = {name: _number(row, columns.prefix + name) for name in task.names}
    else:
        return None
    stated = {as_known(name, task.names): p for name, p in (stated or {}).items()}
    if all(p is None for p in stated.values()):
        return None
    if unknown := set(stated) - set(task.names):
        raise ValueError(f"labels {', '.join(sorted(unknown))[:200]!r} are none of {', '.join(task.names)}")
    p = np.array([float(stated.get(name) or 0.0) for name in task.names]) * columns.scale
    if not np.isfinite(p).all() or p.min() < 0 or abs(p.sum() - 1) > TOLERATED_SUM:
        raise ValueError(f"the probabilities sum to {p.sum():.3g}, not to 1; `scale` brings percentages to shares")
    return dict(zip(task.names, (p / p.sum()).tolist(), strict=True))


def _stated(cell: Any) -> dict[str, float | None]:
    found = parse_json(cell, "the distribution") if isinstance(cell, str) and cell.strip() else cell or {}
    if isinstance(found, dict):
        return {str(name): float(p) for name, p in found.items()}
    return {str(_first(item, _LABEL_KEYS)): float(_first(item, _SHARE_KEYS)) for item in found}


def _first(item: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    return next(item[key] for key in keys if key in item)


def _confidence(row: Mapping[str, Any], columns: AnswerColumns) -> float:
    stated = _number(row, columns.confidence)
    if stated is None:
        raise ValueError("the row names a label without a confidence")
    scaled = stated * columns.scale
    if not 0 <= scaled <= 1:
        raise ValueError(f"confidence {stated:g} is not within 0 and 1; `scale = 0.01` divides percentages by 100")
    return scaled


def _number(row: Mapping[str, Any], column: str) -> float | None:
    if not column or row[column] in (None, ""):
        return None
    found = float(row[column])
    if not math.isfinite(found):
        raise ValueError(f"{column} is {row[column]}")
    return found
