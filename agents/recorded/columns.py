"""How the rows of a table from elsewhere become answers."""

from typing import Literal

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.opinion import ConfidenceSource


class Columns(Record):
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
    second: "Columns | None" = Field(default=None, description="The second round's columns, in the same rows.")
