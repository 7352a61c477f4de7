"""Inner products of one vector with many rows."""

import numpy as np

from doubleread.core.types import Embeddings, Vector


def products(rows: Embeddings, vector: Embeddings | Vector) -> Embeddings:
    """The inner product of each row ``(n, dim)`` with the vector ``(dim,)``, shape ``(n,)``.

    Not ``rows @ vector``: BLAS would wake its threads for it, and where others keep the cores busy they wait for each
    other a hundred times as long as the sum takes (measured: 12 ms against 0.1 for 1,240 rows of 1,280).
    """
    return np.asarray(np.vecdot(rows, vector), np.float32)
