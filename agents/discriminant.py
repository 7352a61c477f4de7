"""Gaussian discriminant analysis on embeddings; ``gaussian_head.py`` describes the model and how it is fitted."""

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.special import log_softmax

from doubleread.agents._embedding_agent import FittedAgent, evidence_arrays
from doubleread.agents.gaussian_head import GaussianHead, fit_head
from doubleread.core.evidence import Evidence
from doubleread.core.types import Embeddings, Json, Labels, Matrix

TEXT_WORTH = 4.0
"""Weight of the text prototypes as prior knowledge, in labelled cases per label."""


class Discriminant(FittedAgent[GaussianHead]):
    """Linear discriminant: one Gaussian per label, with a shared covariance (``gaussian_head.py``).

    Assumes equal label priors: the fusion applies the prevalence, once for the whole panel.
    """

    name = "discriminant"

    def fit(self, embeddings: Embeddings, labels: Labels, groups: Sequence[str] | None = None) -> Self:
        """Fits on embeddings ``(n, dim)`` and label indices ``(n,)``; every label needs a case.

        Whole groups are held out when ridge and scale are selected.
        """
        self._head = fit_head(np.asarray(embeddings, dtype=float), labels, len(self._task.names), groups).head
        return self

    def log_posteriors(self, embeddings: Embeddings) -> Matrix:
        return self._log_posteriors(embeddings, self._fitted())

    def log_posteriors_with(self, embeddings: Embeddings, evidence: Evidence) -> Matrix:
        """Log-posteriors after the retrieved cases, each counted once more, have updated the label means."""
        vectors, labels = evidence_arrays(self._context, evidence)
        return self._log_posteriors(embeddings, self._fitted().joined_by(np.asarray(vectors, dtype=float), labels))

    def state(self) -> tuple[Json, dict[str, Matrix]]:
        head = self._fitted()
        return {"spread": head.spread}, {"whitening": head.whitening, "means": head.means, "counts": head.counts}

    def restore(self, settings: Json, arrays: dict[str, Matrix]) -> Self:
        whitening = np.asarray(arrays["whitening"], dtype=float)
        self._head = GaussianHead(whitening, arrays["means"], arrays["counts"], float(settings["spread"]))
        return self

    def _log_posteriors(self, embeddings: Embeddings, head: GaussianHead) -> Matrix:
        scores = head.log_scores(np.asarray(embeddings, dtype=float))
        return np.asarray(log_softmax(self._text_logits(embeddings) + scores, axis=1))

    def _text_logits(self, embeddings: Embeddings) -> Matrix:
        """Logits of the label phrases; their weight falls as the number of labelled cases grows."""
        text = self._context.text
        if text is None:
            return np.zeros((len(embeddings), len(self._task.names)))
        worth = TEXT_WORTH / (TEXT_WORTH + self._fitted().counts.min())
        return np.asarray(worth * text.logit_scale * embeddings @ self._context.prototypes.T, dtype=float)
