"""Two simple classifiers on embeddings, which err differently."""

import numpy as np
from scipy.special import log_softmax

from doubleread.agents.gaussian_fit import leading_axes
from doubleread.agents.gaussian_head import unit_head
from doubleread.core.types import Labels, Matrix

NEIGHBOURS = 25
SHRINKAGE = 0.2
"""Of the covariance: wrong labels inflate what separates the labels, so it is trusted less than usual."""
_SHARPNESS = 20.0
"""How much more a nearer case counts: ``exp(20 cosine)``."""
_UNSEEN = 0.02
"""Weight of each neighbour that is spread over all labels, so that no label is impossible."""


def discriminant(seen: Matrix, labels: Labels, new: Matrix, n_labels: int) -> Matrix:
    """Log-probabilities ``(n, n_labels)`` of ``new`` by Gaussian discriminant analysis of ``seen``."""
    axes, middle = leading_axes(seen), seen.mean(axis=0)
    ridge = SHRINKAGE / (1 - SHRINKAGE) * (len(seen) - 1) / axes.shape[1]  # as a share of a sphere
    head = unit_head((seen - middle) @ axes, labels, n_labels, max(ridge, 1.0))
    return np.asarray(log_softmax(head.log_scores((new - middle) @ axes), axis=1))


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
