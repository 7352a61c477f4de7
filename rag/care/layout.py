"""Where each case lies on a map of two dimensions: cases that look alike lie together."""

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Embeddings, Matrix

_DIMENSIONS = 50
_PERPLEXITY = 30.0
_FEWEST = 5
"""Below this there are no neighbourhoods to keep, and the two main axes say it all."""


def drawn_at_random(n: int, most: int, seed: int = 0) -> NDArray[np.intp]:
    """Positions of at most ``most`` of ``n`` cases, in order; the same for the same numbers."""
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])


def layout(embeddings: Embeddings, seed: int = 0) -> Matrix:
    """Places ``(n, 2)`` for embeddings ``(n, dim)``: principal components, then t-SNE (van der Maaten and Hinton 2008)
    begun from the first two of them, so that the same cases give the same map."""
    components = _principal(np.asarray(embeddings, float))
    if len(components) < _FEWEST:
        return components[:, :2]
    from sklearn.manifold import TSNE  # noqa: PLC0415 - takes a second to load

    begin = components[:, :2] / max(float(components[:, 0].std()), 1e-12) * 1e-4
    perplexity = min(_PERPLEXITY, (len(components) - 1) / 3)
    places: Matrix = TSNE(perplexity=perplexity, init=begin.astype(np.float32), random_state=seed).fit_transform(
        components.astype(np.float32)
    )
    return places.astype(float)


def _principal(rows: Matrix) -> Matrix:
    """At least two and at most fifty principal components; the sign of each is that of its largest value."""
    centred = rows - rows.mean(axis=0) if len(rows) else rows
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    found = (left * sizes)[:, :_DIMENSIONS]
    found = np.pad(found, ((0, 0), (0, max(0, 2 - found.shape[1]))))
    if len(found):
        found = found * np.where(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])] < 0, -1.0, 1.0)
    return found
