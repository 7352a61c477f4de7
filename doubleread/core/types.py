"""Type aliases for arrays and JSON."""

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
Patches: TypeAlias = NDArray[np.float16]
"""Patch features, shape ``(rows, columns, channels)``, or ``(n, rows, columns, channels)`` for ``n`` images."""
Json: TypeAlias = dict[str, Any]
"""A JSON object."""
