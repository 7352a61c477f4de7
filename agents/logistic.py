"""Logistic probe: softmax regression on embeddings; ``softmax_head.py`` describes the model."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.special import log_softmax

from doubleread.agents._embedding_agent import FittedAgent, evidence_arrays
from doubleread.agents._softmax_head import SoftmaxHead, fit_softmax_head
from doubleread.core.evidence import Evidence
from doubleread.core.types import Embeddings, Json, Labels, Matrix


class Logistic(FittedAgent[SoftmaxHead]):
    """Linear probe with softmax output. Its opinions assume the label shares of the support."""

    name = "logistic"
    prior = "support"

    def fit(self, embeddings: Embeddings, labels: Labels, groups: Sequence[str] | None = None) -> Self:
        """Fits on embeddings ``(n, dim)`` and label indices ``(n,)``; cross-validation keeps ``groups`` whole."""
        x = np.asarray(embeddings, dtype=float)
        self._head = fit_softmax_head(x, labels, len(self._task.names), groups)
        return self

    def log_posteriors(self, embeddings: Embeddings) -> Matrix:
        return np.asarray(log_softmax(self._fitted().log_scores(np.asarray(embeddings, dtype=float)), axis=1))

    def log_posteriors_with(self, embeddings: Embeddings, evidence: Evidence) -> Matrix:
        """Log-posteriors after a ridge step of the weights towards the retrieved cases; fitted ones change little."""
        vectors, labels = evidence_arrays(self._context, evidence)
        if not len(vectors):
            return self.log_posteriors(embeddings)
        head = self._fitted()
        step = head.step_towards(np.asarray(vectors, dtype=float), labels)
        return np.asarray(log_softmax(head.log_scores(np.asarray(embeddings, dtype=float), step), axis=1))

    def state(self) -> tuple[Json, dict[str, Matrix]]:
        head = self._fitted()
        arrays = {name: getattr(head, name) for name in ("weights", "bias", "centre", "width", "shares")}
        return {"strength": head.strength, "temperature": head.temperature}, arrays

    def restore(self, settings: Json, arrays: dict[str, Matrix]) -> Self:
        self._head = SoftmaxHead(
            **{name: arrays[name] for name in ("weights", "bias", "centre", "width", "shares")},
            strength=float(settings["strength"]),
            temperature=float(settings["temperature"]),
        )
        return self
