"""Gaussian discriminant analysis on the embeddings, with shrinkage.

One Gaussian a label with a shared covariance (Wang et al. 2024, "A Hard-to-Beat Baseline for Training-free
CLIP-based Adaptation", arXiv 2402.04087, eq. 4–6), in the leading principal components and shrunk towards a sphere at
least as far as Ledoit & Wolf (2004) ask. With too few cases to estimate a covariance it falls back to nearest
prototypes (a sphere).
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.special import log_softmax

from doubleread.agents.context import AgentContext
from doubleread.agents.embedding_agent import EmbeddingAgent, evidence_arrays
from doubleread.core.errors import NotFitted
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import AbstentionCause
from doubleread.core.types import Embeddings, Json, Labels, Matrix, Vector

FEWEST_FOR_COVARIANCE = 4
"""Cases a label, at the least, before a full covariance is worth estimating."""
COMPONENTS = 256
LEAST_SHRINKAGE = 0.2
"""Both were chosen on calibration splits of leaves and solar cells, where they were at or near the lowest log-loss."""
TEXT_WORTH = 4.0
"""How many labelled cases a label the text prototypes are worth as prior knowledge."""


class Discriminant(EmbeddingAgent):
    """Linear discriminant in whitened space: ``log p(label | x) ∝ -½‖W(x - mean_label)‖²``.

    Labels are equally likely to it: prevalence belongs to the fusion, which counts it once for the whole panel.
    """

    name = "discriminant"

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self._whitening: Matrix | None = None
        self._means: Matrix = np.zeros((0, 0))
        self._counts: Vector = np.zeros(0)

    def cannot(self) -> tuple[AbstentionCause, str] | None:
        return ("not-fitted", "it has seen no labelled case") if self._whitening is None else None

    def fit(self, embeddings: Embeddings, labels: Labels, groups: Sequence[str] | None = None) -> Self:
        """Learns from embeddings ``(n, dim)`` and label indices ``(n,)``; every label needs a case."""
        del groups
        x, n_labels = np.asarray(embeddings, dtype=float), len(self._task.names)
        means = np.stack([x[labels == k].mean(axis=0) for k in range(n_labels)])
        self._counts = np.bincount(labels, minlength=n_labels).astype(float)
        self._whitening = whitening(x, x - means[labels], fewest=int(self._counts.min()))
        self._means = means @ self._whitening
        return self

    def log_posteriors(self, embeddings: Embeddings) -> Matrix:
        return self._log_posteriors(embeddings, self._means)

    def log_posteriors_with(self, embeddings: Embeddings, evidence: Evidence) -> Matrix:
        """Each label's mean moves towards its retrieved cases as if they had been seen once more."""
        vectors, labels = evidence_arrays(self._context, evidence)
        white = np.asarray(vectors, dtype=float) @ self._fitted()
        means = self._means.copy()
        for k in range(len(means)):
            mine = white[labels == k]
            if len(mine):
                means[k] = (self._counts[k] * means[k] + mine.sum(axis=0)) / (self._counts[k] + len(mine))
        return self._log_posteriors(embeddings, means)

    def state(self) -> tuple[Json, dict[str, Matrix]]:
        """What ``restore`` needs."""
        return {}, {"whitening": self._fitted(), "means": self._means, "counts": self._counts}

    def restore(self, settings: Json, arrays: dict[str, Matrix]) -> Self:
        del settings
        self._whitening = np.asarray(arrays["whitening"], dtype=float)
        self._means, self._counts = arrays["means"], arrays["counts"]
        return self

    def _fitted(self) -> Matrix:
        if self._whitening is None:
            raise NotFitted(f"fit the {self.name} agent on labelled cases first")
        return self._whitening

    def _log_posteriors(self, embeddings: Embeddings, means: Matrix) -> Matrix:
        white = np.asarray(embeddings, dtype=float) @ self._fitted()
        distance = ((white[:, None, :] - means[None, :, :]) ** 2).sum(axis=2)
        return np.asarray(log_softmax(self._text_logits(embeddings) - distance / 2, axis=1))

    def _text_logits(self, embeddings: Embeddings) -> Matrix:
        """What the label phrases say, fading as labelled cases come in."""
        text = self._context.text
        if text is None:
            return np.zeros((len(embeddings), len(self._task.names)))
        worth = TEXT_WORTH / (TEXT_WORTH + self._counts.min())
        return np.asarray(worth * text.logit_scale * embeddings @ self._context.prototypes.T, dtype=float)


def whitening(x: Matrix, centred: Matrix, *, fewest: int) -> Matrix:
    """``W`` of shape ``(dim, components)``: within-label covariance is about the identity after ``@ W``.

    ``x`` are the embeddings ``(n, dim)``, ``centred`` the same less their label's mean.
    """
    from sklearn.covariance import ledoit_wolf_shrinkage  # noqa: PLC0415 - slow to import, and only fitting needs it

    n, dim = x.shape
    if fewest < FEWEST_FOR_COVARIANCE:
        variance = max(float((centred**2).mean()), 1e-4)
        return np.asarray(np.eye(dim) / np.sqrt(variance))
    _, _, directions = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    axes = directions[: min(COMPONENTS, n - 1, dim)].T
    projected = centred @ axes
    covariance = projected.T @ projected / n
    shrinkage = max(LEAST_SHRINKAGE, float(ledoit_wolf_shrinkage(projected, assume_centered=True)))
    sphere = np.trace(covariance) / len(covariance)
    values, rotation = np.linalg.eigh((1 - shrinkage) * covariance + shrinkage * sphere * np.eye(len(covariance)))
    return np.asarray(axes @ rotation / np.sqrt(np.maximum(values, 1e-12)))
