"""The similar labelled cases that retrieval found, and what they imply."""

from collections.abc import Mapping
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
    hubness: float | None = None
    """How near the neighbours are to everything, in standard deviations from the mean of the stored cases: well above
    0 they are hubs, which turn up for any image and say little of this one. None where retrieval cannot say."""


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
    near_copies: tuple[Neighbour, ...] = ()
    """Stored cases that are nearly the same picture: left out, with their groups, like the case itself."""
    unusual: tuple[str, ...] = ()
    """In what the picture itself is unlike those the panel was trusted on, in a sentence each: much darker, grey, …"""
    archive: str = ""
    """Version of the store that was searched."""
    failure: str = ""
    """Why retrieval gave nothing, where it failed."""

    def under(self, prior: Mapping[str, float]) -> dict[str, float]:
        """The label distribution where the labels are as frequent as ``prior`` says, whatever the archive holds.

        ``distribution`` is that of a uniform prior: a label with a thousand cases in the archive has no advantage over
        one with ten. Labels that ``prior`` does not name do not occur. Raises ``ValueError`` where nothing is left.
        """
        weighted = {name: share * prior.get(name, 0.0) for name, share in self.distribution.items()}
        total = sum(weighted.values())
        if total <= 0:
            raise ValueError(f"the prior {dict(prior)} leaves none of the labels {', '.join(self.distribution)}")
        return {name: share / total for name, share in weighted.items()}

    @property
    def label(self) -> str | None:
        """The leading label, where there is one."""
        return max(self.distribution, key=lambda name: self.distribution[name]) if self.distribution else None
