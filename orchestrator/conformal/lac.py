"""LAC: a label fits as badly as its probability falls short of 1."""

from doubleread.core.types import Matrix, Vector
from doubleread.orchestrator.conformal.score import Score


class Lac(Score):
    """One minus the label's probability: the smallest sets on average. Source: Sadinle, Lei and Wasserman 2019."""

    def of(self, P: Matrix, u: Vector) -> Matrix:
        """``1 - P``; chance has no part in it."""
        return 1.0 - P
