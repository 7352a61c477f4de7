"""Type aliases for arrays, JSON and progress callbacks."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float64]
"""Shape ``(n,)``."""
Matrix: TypeAlias = NDArray[np.float64]
"""Shape ``(n, k)``."""
Tensor3: TypeAlias = NDArray[np.float64]
"""A panel's opinions, shape ``(n_cases, n_agents, n_labels)``; an abstaining agent is a row of NaN."""
Labels: TypeAlias = NDArray[np.int64]
"""Label indices in task order, shape ``(n,)``."""
Embeddings: TypeAlias = NDArray[np.float32]
"""Unit-length rows, shape ``(n, dim)``."""
Json: TypeAlias = dict[str, Any]
"""A JSON object."""
Progress = Callable[[str, int, int], None]
"""Callback with the stage's name, the amount done, and the total."""


def silent(stage: str, done: int, total: int) -> None:
    """Ignores progress."""
    del stage, done, total
