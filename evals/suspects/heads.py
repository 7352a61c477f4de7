"""Two simple classifiers on embeddings, which err differently."""

import numpy as np
from scipy.special import log_softmax

from doubleread.agents.discriminant import whitening
from doubleread.core.types import Labels, Matrix

NEIGHBOURS = 25
_SHARPNESS = 20.0
"""How much more a nearer case counts: ``exp(20 cosine)``."""
_UNSEEN = 0.02
"""Weight of each neighbour that is spread over all labels, so that no label is impossible."""


def discriminant(seen: Matrix, labels: Labels, new: Matrix, n_labels: int) -> Matrix:
    """Log-probabilities ``(n, n_labels)`` of ``new`` by Gaussian discriminant analysis of ``seen``."""
    means = np.stack([seen[labels == k].mean(axis=0) for k in range(n_labels)])
    white = whitening(seen, seen - means[labels], fewest=int(np.bincount(labels, minlength=n_labels).min()))
    points, centres = new @ white, means @ white
    distance = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)
    return np.asarray(log_softmax(-distance / 2, axis=1))


def neighbours(seen: Matrix, labels: Labels, new: Matrix, n_labels: int) -> Matrix:
    """The same by the labels of the 25 nearest cases, the nearer the more."""
    cosine = _unit(new) @ _unit(seen).T
    nearest = np.argsort(-cosine, axis=1, kind="stable")[:, :NEIGHBOURS]
    weights = np.exp(_SHARPNESS * (np.take_along_axis(cosine, nearest, axis=1) - 1))
    votes = np.stack([(weights * (labels[nearest] == k)).sum(axis=1) for k in range(n_labels)], axis=1)
    votes += _UNSEEN * weights.sum(axis=1, keepdims=True) / n_labels
    return np.asarray(np.log(votes / votes.sum(axis=1, keepdims=True)))


def _unit(rows: Matrix) -> Matrix:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))
