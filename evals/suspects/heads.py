"""Two simple classifiers on embeddings, which err differently."""

import numpy as np
from scipy.special import log_softmax

from doubleread.agents.gaussian_head import leading_axes, unit_head
from doubleread.core.types import Labels, Matrix

NEIGHBOURS = 25
SHRINKAGE = 0.2
"""Least shrinkage of the covariance towards a sphere; more where Ledoit and Wolf (2004) ask for it."""
_SHARPNESS = 20.0
"""How much more a nearer case counts: ``exp(20 cosine)``."""
_UNSEEN = 0.02
"""Weight of each neighbour that is spread over all labels, so that no label is impossible."""


def discriminant(seen: Matrix, labels: Labels, new: Matrix, n_labels: int) -> Matrix:
    """Log-probabilities ``(n, n_labels)`` of ``new`` by Gaussian discriminant analysis of ``seen``."""
    from sklearn.covariance import ledoit_wolf_shrinkage  # noqa: PLC0415 - slow to import

    axes, middle = leading_axes(seen), seen.mean(axis=0)
    z = (seen - middle) @ axes
    means = np.stack([z[labels == k].mean(axis=0) for k in range(n_labels)])
    shrinkage = np.clip(float(ledoit_wolf_shrinkage(z - means[labels], assume_centered=True)), SHRINKAGE, 0.999)
    ridge = shrinkage / (1 - shrinkage) * (len(z) - 1) / z.shape[1]  # so much of a sphere
    head = unit_head(z, labels, n_labels, ridge)
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
