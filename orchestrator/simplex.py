"""Arithmetic on probability distributions: the last axis holds the labels."""

import numpy as np
from numpy.typing import NDArray

from doubleread.core.types import Labels, Vector

Floats = NDArray[np.float64]

FLOOR = 1e-6
"""Smallest probability that is used."""


def normalised(probabilities: Floats, floor: float = FLOOR) -> Floats:
    """Distributions clipped from below at ``floor`` and summing to 1; NaN rows stay NaN."""
    clipped = np.maximum(np.asarray(probabilities, dtype=float), floor)
    return np.asarray(clipped / clipped.sum(axis=-1, keepdims=True))


def softmax(logits: Floats) -> Floats:
    """Distributions proportional to ``exp(logits)``; rows of NaN stay NaN."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))  # several times as fast as scipy's on small arrays
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def log_softmax_rows(logits: Floats) -> Floats:
    """Logarithms of ``softmax``."""
    away = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(away - np.log(np.exp(away).sum(axis=-1, keepdims=True)))


def log_loss(logits: Floats, labels: Labels) -> float:
    """Sum of -log p(label) over the rows of ``logits``, shape ``(n, k)``."""
    return float(-log_softmax_rows(logits)[np.arange(len(labels)), labels].sum())


def spoken(probabilities: Floats) -> NDArray[np.bool_]:
    """Whether each row holds a distribution, without NaN; the shape lacks the last axis."""
    return np.asarray(~np.isnan(probabilities).any(axis=-1))


def shares(labels: Labels, k: int) -> Vector:
    """Share of each of ``k`` labels, shape ``(k,)``; a label without a case counts as half a case."""
    counts = np.maximum(np.bincount(labels, minlength=k).astype(float), 0.5)
    return np.asarray(counts / counts.sum())
