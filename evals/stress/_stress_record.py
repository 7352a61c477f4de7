"""What a stress test found."""

from collections.abc import Iterator

from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.trust import Estimate

CLEAN, ALL = "clean", "all"
"""Names of the condition without corruption, and of all corruptions together."""
FEW = 10
"""With fewer committed answers than that, the share of wrong ones says nothing."""


class MeasuredFigure(Estimate):
    """A figure of ``n`` readings, with its 95 % interval from a bootstrap over groups.

    Examples:
        >>> found = doubleread.stress_panel(panel, "photos", corruptions=["noise"], severities=[3], limit=6)
        >>> found.clean.figures["accuracy"].n
        6
    """

    n: int


class Condition(Record):
    """The figures of one corruption at one severity.

    Examples:
        >>> found = doubleread.stress_panel(panel, "photos", corruptions=["noise"], severities=[3], limit=6)
        >>> [(one.corruption, one.severity, one.n) for one in found.conditions][0]
        ('gaussian-noise', 3, 6)
    """

    corruption: str
    severity: int
    """1 (slight) to 5 (severe); 0 for clean pictures."""
    n: int
    """Readings."""
    failed: int = 0
    """Corrupted pictures that the panel could not read."""
    impossible: int = 0
    """Pictures that this corruption cannot be applied to, because their background is not known."""
    silent: int = 0
    """Readings without an opinion. They count as wrong, and as uniform in the log-loss."""
    figures: dict[str, MeasuredFigure]
    """By name; figures that no reading counts for are left out."""

    @property
    def risk(self) -> MeasuredFigure | None:
        """Share of commitments that are wrong; None with fewer than 10 commitments."""
        found = self.figures.get("risk")
        return found if found is not None and found.n >= FEW else None


class Promise(Record):
    """The share of commitments that may be wrong, from ``trust.max_risk`` or the task's costs.

    Examples:
        >>> found = doubleread.stress_panel(panel, "photos", corruptions=["noise"], severities=[3], limit=6)
        >>> found.promise.risk, found.promise.why
        (0.2, 'a referral costs 0.2 and an error 1')
    """

    risk: float
    """The share, 0 to 1."""
    why: str
    """Where it comes from."""


class TestedCorruption(Record):
    """A corruption that was asked for, in words."""

    name: str
    family: str
    about: str


class StressTest(Record):
    """The result of a stress test.

    Examples:
        >>> found = doubleread.stress_panel(panel, "photos", corruptions=["noise"], severities=[3], limit=6)
        >>> found.n, found.readings
        (6, 24)
    """

    name: str
    """Name of the data set."""
    task: str
    panel: str
    """Digest of the panel."""
    n: int
    """Pictures."""
    groups: int
    """Groups among them."""
    promise: Promise
    """The error limit: the share of committed answers that may be wrong."""
    verdict: tuple[str, ...]
    """The result in sentences, the answer first."""
    severities: tuple[int, ...]
    corruptions: tuple[TestedCorruption, ...]
    """The corruptions that were applied."""
    clean: Condition
    """The pictures without corruption."""
    overall: tuple[Condition, ...]
    """All corruptions together, by severity."""
    conditions: tuple[Condition, ...]
    """By corruption, then severity."""
    notes: tuple[str, ...] = ()
    """What was left out, and why."""
    warnings: tuple[str, ...] = ()
    """What makes these figures less certain, or too good."""
    readings: int
    """Pictures that were read, clean and corrupted."""
    seconds: float
    examples: dict[str, tuple[str, ...]] = Field(default_factory=dict, exclude=True)
    """Thumbnails of one picture as data URIs, by corruption; not part of the JSON."""

    def of(self, corruption: str) -> Iterator[Condition]:
        """Yields the conditions of a corruption, by severity."""
        return (one for one in self.conditions if one.corruption == corruption)
