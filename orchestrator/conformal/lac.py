"""LAC: the score of a label is one minus its probability."""

from doubleread.core.types import Matrix, Vector


def lac(P: Matrix, u: Vector) -> Matrix:  # noqa: ARG001 - chance has no part in it
    """``1 - P``: the smallest sets on average. Source: Sadinle, Lei and Wasserman 2019."""
    return 1.0 - P
