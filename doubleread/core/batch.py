"""Whether a batch of pictures is like those that a panel was trusted on."""

from doubleread.core.base import Record


class Difference(Record):
    """One way in which the pictures of a batch differ, by the medians of a statistic."""

    statistic: str
    """A column of ``rag.picture_statistics``."""
    told: str
    """What the batch is, as in ``darker``."""
    batch: float
    trusted: float


class BatchComparison(Record):
    """A batch against the calibration cases: a classifier two-sample test on embeddings, and one on simple statistics.

    Both shuffle whole groups.
    """

    n: int
    """Pictures of the batch that were compared; of large batches a sample."""
    groups: int | None
    """None where nobody knows them."""
    trusted: int
    """Calibration cases they were compared with."""
    trusted_groups: int
    level: float
    """False alarms on batches that are alike, at most."""
    auc: float | None = None
    """How well a classifier tells the batch from the calibration cases, 0.5 if not at all; None where not judged."""
    p_value: float | None = None
    """Of both tests together."""
    differs: bool = False
    differences: tuple[Difference, ...] = ()
    """The largest first; may be empty though the batch differs."""
    note: str = ""
    """Why the batch could not be judged, or what to bear in mind."""

    @property
    def lines(self) -> tuple[str, ...]:
        """What to tell a person; nothing where the batch is like the calibration cases."""
        if not self.differs:
            return (self.note,) if self.auc is None else ()
        how = ", ".join(
            f"{one.told} ({one.statistic} {one.batch:.2g}, was {one.trusted:.2g})" for one in self.differences
        )
        what = f"; they are {how}" if how else "; simple statistics of the pictures do not tell in what"
        told = "" if self.auc is None else f"AUC {self.auc:.2f}, "
        chance = f"{told}p = {self.p_value:.3f}, {self.n} pictures"
        said = f"these pictures differ from those the panel was trusted on{what} ({chance})"
        todo = "its probabilities may not hold here: check a sample by hand, and calibrate again on pictures like these"
        return (said, todo, *((self.note,) if self.note else ()))
