"""The similar labelled cases that retrieval found, and what they imply."""

from pathlib import Path

from pydantic import Field

from doubleread.core.base import Record


class Neighbour(Record):
    """One stored case and how similar it is (cosine, at most 1)."""

    case_id: str
    label: str
    similarity: float
    group: str | None = None
    source: str = ""
    path: Path | None = None
    """Its picture, where it lay when it was stored."""


class EvidenceQuality(Record):
    """How far the evidence deserves to be believed.

    ``agreement`` (share of the neighbours that carry the leading label) and ``margin`` (leading
    minus second label probability) tell right from wrong; ``similarity`` of the nearest case does not,
    but it tells the unfamiliar from the familiar, and ``nearness`` does so better.
    """

    similarity: float
    agreement: float = Field(ge=0, le=1)
    margin: float = Field(ge=0, le=1)
    nearness: float | None = None
    """Hub-corrected similarity (CSLS) to the nearest cases of the nearest label; None where retrieval cannot say."""


class Evidence(Record):
    """The ``k`` most similar labelled cases, nearest first, never the case itself nor its group."""

    neighbours: tuple[Neighbour, ...]
    distribution: dict[str, float] = Field(default_factory=dict)
    """Label distribution under a uniform prior; empty without neighbours."""
    as_indexed: dict[str, float] = Field(default_factory=dict)
    """Label shares among the neighbours as the archive happens to hold them."""
    quality: EvidenceQuality | None = None
    contrast: tuple[Neighbour, ...] = ()
    """The nearest cases of every label, label by label: what each label looks like at its most similar."""
    contested: tuple[str, ...] = ()
    """Labels that the panel is in two minds about; set for a second look."""
    failure: str = ""
    """Why retrieval gave nothing, where it failed."""

    @property
    def label(self) -> str | None:
        """The leading label, where there is one."""
        return max(self.distribution, key=lambda name: self.distribution[name]) if self.distribution else None
