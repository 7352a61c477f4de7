"""LAC: a label fits as badly as its probability falls short of 1."""

from doubleread.core.types import Matrix, Vector
from doubleread.orchestrator.conformal.score import Score


class Lac(Score):
    """One minus the label's probability: the smallest sets on average. Source: Sadinle, Lei and Wasserman 2019."""

    def of(self, P: Matrix, u: Vector) -> Matrix:  # noqa: ARG002 - chance has no part in it
        """``1 - P``."""
        return 1.0 - P
