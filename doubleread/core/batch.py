"""The result of comparing a batch of pictures with a panel's calibration cases."""

from doubleread.core.base import Record


class Difference(Record):
    """A statistic whose median differs between a batch and the calibration cases."""

    statistic: str
    """A column of the statistics in ``rag.images.picture_statistics``."""
    told: str
    """The difference in a word, such as ``darker``."""
    batch: float
    trusted: float


class BatchComparison(Record):
    """Compares a batch with the calibration cases by a classifier two-sample test on embeddings and a test of simple
    statistics. Both permute whole groups."""

    n: int
    """Number of compared pictures of the batch; large batches are sampled."""
    groups: int | None
    """Number of groups; None if unknown."""
    trusted: int
    """Number of calibration cases."""
    trusted_groups: int
    level: float
    """Largest false alarm rate for batches that do not differ."""
    auc: float | None = None
    """AUC of a classifier between batch and calibration cases, 0.5 for no difference; None if not computed."""
    p_value: float | None = None
    """p-value of both tests together."""
    differs: bool = False
    differences: tuple[Difference, ...] = ()
    """Largest first; may be empty even if the batch differs."""
    note: str = ""
    """Why the batch could not be judged, or a caveat."""

    @property
    def lines(self) -> tuple[str, ...]:
        """A message for the user; empty if the batch is like the calibration cases."""
        if not self.differs:
            return (self.note,) if self.auc is None else ()
        how = ", ".join(
            f"{one.told} ({one.statistic} {one.batch:.2g}, was {one.trusted:.2g})" for one in self.differences
        )
        what = f"; they are {how}" if how else "; simple statistics of the pictures do not tell in what"
        told = "" if self.auc is None else f"AUC {self.auc:.2f}, "
        chance = f"{told}p = {self.p_value:.3f}, {self.n} pictures"
        said = f"these images differ from the calibration images{what} ({chance})"
        todo = "its probabilities may not hold here: check a sample by hand, and calibrate again on pictures like these"
        return (said, todo, *((self.note,) if self.note else ()))
