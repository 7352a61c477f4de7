"""What a stress test found."""

from collections.abc import Iterator

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.trust import Estimate

CLEAN, ALL = "clean", "all"
"""Names of the condition without corruption, and of all corruptions together."""
FEW = 10
"""With fewer commitments than that a share of wrong ones says nothing."""


class MeasuredFigure(Estimate):
    """A figure with its 95 % interval over whole groups, of ``n`` readings."""

    n: int


class Condition(Record):
    """One corruption at one severity; severity 0 is the clean picture."""

    corruption: str
    severity: int
    n: int
    """Readings."""
    failed: int = 0
    """Pictures that the panel could not read."""
    impossible: int = 0
    """Pictures that cannot be corrupted so: no background is known."""
    silent: int = 0
    """Readings in which no agent spoke: counted as wrong, and as uniform in the log-loss."""
    figures: dict[str, MeasuredFigure]
    """By name, as in ``figures.FIGURES``; without those that no reading counts for."""

    @property
    def risk(self) -> MeasuredFigure | None:
        """Share of wrong commitments; None where there are too few to tell."""
        found = self.figures.get("risk")
        return found if found is not None and found.n >= FEW else None


class Promise(Record):
    """The share of commitments that may be wrong, and what says so."""

    risk: float
    why: str


class TestedCorruption(Record):
    """A corruption that was asked for, in words."""

    name: str
    family: str
    about: str


class StressTest(Record):
    """A panel's robustness card."""

    name: str
    task: str
    panel: str
    """Digest of the panel."""
    n: int
    """Pictures."""
    groups: int
    promise: Promise
    verdict: tuple[str, ...]
    """In plain words, the answer first."""
    severities: tuple[int, ...]
    corruptions: tuple[TestedCorruption, ...]
    clean: Condition
    overall: tuple[Condition, ...]
    """All corruptions together, by severity."""
    conditions: tuple[Condition, ...]
    """By corruption, then severity."""
    notes: tuple[str, ...] = ()
    readings: int
    seconds: float
    examples: dict[str, tuple[str, ...]] = Field(default_factory=dict, exclude=True)
    """Of one picture, small, as data URIs: by corruption at each severity, and clean. Not part of the JSON."""

    def of(self, corruption: str) -> Iterator[Condition]:
        """The conditions of a corruption, by severity."""
        return (one for one in self.conditions if one.corruption == corruption)
