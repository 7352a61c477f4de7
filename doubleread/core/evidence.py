"""The similar labelled cases that retrieval found, and what they imply."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from doubleread.core.base import Record


class Neighbour(Record):
    """One stored case and how similar it is.

    Examples:
        >>> nearest = verdict.evidence.neighbours[0]
        >>> nearest.label, nearest.similarity > 0.5
        ('red', True)
    """

    case_id: str
    label: str
    """The confirmed label of the stored case."""
    similarity: float
    """Cosine similarity of the embeddings, at most 1."""
    group: str | None = None
    source: str = ""
    path: Path | None = None
    """Where its image was when the case was stored."""


class EvidenceQuality(Record):
    """How reliable the evidence is.

    ``agreement`` and ``margin`` separate right from wrong answers. ``similarity`` and, better, ``nearness`` separate
    familiar from unfamiliar images.

    Examples:
        >>> quality = verdict.evidence.quality
        >>> 0 <= quality.margin <= 1
        True
    """

    similarity: float
    """Cosine similarity of the nearest case."""
    agreement: float = Field(ge=0, le=1)
    """Share of the neighbours that have the leading label."""
    margin: float = Field(ge=0, le=1)
    """Probability of the leading label minus that of the second."""
    nearness: float | None = None
    """Similarity to the nearest cases of the nearest label, corrected for hubs by CSLS (Conneau et al. 2018); None if
    it cannot be computed."""
    hubness: float | None = None
    """How close the neighbours are to all stored cases, in standard deviations from the mean. Well above 0 they are
    hubs: cases that are near to any image and say little about this one. None if it cannot be computed."""


class Evidence(Record):
    """The most similar labelled cases and the label distribution they imply.

    The case itself, near copies of it and cases of its group are never among the neighbours.

    Examples:
        >>> evidence = verdict.evidence
        >>> evidence.label
        'red'
        >>> shares = evidence.under({"blue": 0.1, "green": 0.1, "red": 0.8})
        >>> round(sum(shares.values()), 6)
        1.0
    """

    neighbours: tuple[Neighbour, ...]
    """The ``k`` nearest cases, nearest first."""
    distribution: dict[str, float] = Field(default_factory=dict)
    """Label distribution under a uniform prior; empty without neighbours."""
    as_indexed: dict[str, float] = Field(default_factory=dict)
    """Label shares among the neighbours, uncorrected for how many cases of each label the archive holds."""
    quality: EvidenceQuality | None = None
    """None without neighbours."""
    contrast: tuple[Neighbour, ...] = ()
    """The nearest cases of each label, label by label."""
    contested: tuple[str, ...] = ()
    """Labels between which the panel is undecided; set for a second look."""
    near_copies: tuple[Neighbour, ...] = ()
    """Stored cases that show nearly the same picture. They and their groups are left out of the neighbours."""
    unusual: tuple[str, ...] = ()
    """How the picture differs from those the panel was calibrated on (much darker, grey, …), one sentence each."""
    archive: str = ""
    """Version of the store that was searched."""
    failure: str = ""
    """Why retrieval failed; empty if it did not."""

    def under(self, prior: Mapping[str, float]) -> dict[str, float]:
        """Returns the label distribution under another prior: ``distribution × prior``, normalised.

        Labels that ``prior`` does not name get 0.

        Raises:
            ValueError: No label is left.
        """
        weighted = {name: share * prior.get(name, 0.0) for name, share in self.distribution.items()}
        total = sum(weighted.values())
        if total <= 0:
            raise ValueError(f"the prior {dict(prior)} leaves none of the labels {', '.join(self.distribution)}")
        return {name: share / total for name, share in weighted.items()}

    @property
    def label(self) -> str | None:
        """The label with the highest probability; None without neighbours."""
        return max(self.distribution, key=lambda name: self.distribution[name]) if self.distribution else None


__all__ = ["Evidence", "EvidenceQuality", "Neighbour"]
