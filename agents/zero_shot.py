"""CLIP zero-shot: compares label phrases in prompt templates with the image, at the model's own temperature."""

import numpy as np
from scipy.special import log_softmax

from doubleread.agents._embedding_agent import EmbeddingAgent
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import AbstentionCause
from doubleread.core.types import Embeddings, Matrix

CACHE_SHARPNESS = 5.5
CACHE_WEIGHT = 1.0
"""Defaults of Tip-Adapter (Zhang et al. 2022, arXiv 2207.09519, section 4.1: beta 5.5, alpha 1)."""


class ZeroShot(EmbeddingAgent):
    """Needs no labelled case. Abstains if the encoder has no text encoder.

    In a second look the retrieved cases act as a key–value cache in addition to the prompts (Tip-Adapter).
    """

    name = "zero-shot"

    def cannot(self) -> tuple[AbstentionCause, str] | None:
        if self._context.text is None:
            return "no-text-encoder", "the encoder reads images only, and this agent needs CLIP, which also reads text"
        return None

    def log_posteriors(self, embeddings: Embeddings) -> Matrix:
        return np.asarray(log_softmax(self._logits(embeddings), axis=1))

    def log_posteriors_with(self, embeddings: Embeddings, evidence: Evidence) -> Matrix:
        affinity = np.zeros(len(self._task.names))
        for neighbour in evidence.neighbours:
            affinity[self._task.index(neighbour.label)] += np.exp(-CACHE_SHARPNESS * (1 - neighbour.similarity))
        return np.asarray(log_softmax(self._logits(embeddings) + CACHE_WEIGHT * affinity, axis=1))

    def _logits(self, embeddings: Embeddings) -> Matrix:
        if self._context.text is None:
            raise RuntimeError("read() abstains before it comes to this")
        return np.asarray(self._context.text.logit_scale * embeddings @ self._context.prototypes.T, dtype=float)
