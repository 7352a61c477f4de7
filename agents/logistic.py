"""Logistic probe: a ridge-regularised multinomial logistic regression on the embeddings.

The strength of the ridge is chosen by cross-validation on the cases it is fitted on.
"""

from collections.abc import Sequence
from typing import Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from doubleread.agents.context import AgentContext
from doubleread.agents.embedding_agent import EmbeddingAgent, evidence_arrays
from doubleread.core.errors import NotFitted
from doubleread.core.evidence import Evidence
from doubleread.core.opinion import AbstentionCause
from doubleread.core.types import Embeddings, Json, Labels, Matrix, Vector

STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
"""Inverse ridge strengths tried (for unit-length embeddings)."""


class Logistic(EmbeddingAgent):
    """Linear probe with softmax output."""

    name = "logistic"
    prior = "support"

    def __init__(self, context: AgentContext) -> None:
        super().__init__(context)
        self._weights: Matrix | None = None
        self._bias: Vector = np.zeros(0)
        self._strength = 1.0

    def cannot(self) -> tuple[AbstentionCause, str] | None:
        return ("not-fitted", "it has seen no labelled case") if self._weights is None else None

    def fit(self, embeddings: Embeddings, labels: Labels, groups: Sequence[str] | None = None) -> Self:
        """Learns from embeddings ``(n, dim)``, label indices ``(n,)``, and groups that cross-validation keeps whole."""
        from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - a second to import, only for fitting

        self._strength = choose_strength(embeddings, labels, groups)
        model = LogisticRegression(C=self._strength, max_iter=2000).fit(np.asarray(embeddings, dtype=float), labels)
        weights, bias = model.coef_, model.intercept_
        if len(weights) == 1:  # two labels: one row that speaks for the second
            weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
        self._weights, self._bias = weights, bias
        return self

    def log_posteriors(self, embeddings: Embeddings) -> Matrix:
        return self._log_posteriors(embeddings, np.zeros_like(self._fitted()))

    def log_posteriors_with(self, embeddings: Embeddings, evidence: Evidence) -> Matrix:
        """The weights take one ridge step towards the retrieved cases; cases already fitted change little."""
        vectors, labels = evidence_arrays(self._context, evidence)
        return self._log_posteriors(embeddings, self._step_towards(np.asarray(vectors, dtype=float), labels))

    def state(self) -> tuple[Json, dict[str, Matrix]]:
        """What ``restore`` needs."""
        return {"strength": self._strength}, {"weights": self._fitted(), "bias": self._bias}

    def restore(self, settings: Json, arrays: dict[str, Matrix]) -> Self:
        self._strength = float(settings["strength"])
        self._weights, self._bias = arrays["weights"], arrays["bias"]
        return self

    def _fitted(self) -> Matrix:
        if self._weights is None:
            raise NotFitted("fit the logistic probe on labelled cases first")
        return self._weights

    def _log_posteriors(self, embeddings: Embeddings, step: Matrix) -> Matrix:
        logits = np.asarray(embeddings, dtype=float) @ (self._fitted() + step).T + self._bias
        return np.asarray(log_softmax(logits, axis=1))

    def _step_towards(self, vectors: Matrix, labels: Vector) -> Matrix:
        """MAP update of the weights with a Gaussian prior around the fitted ones.

        By the representer theorem the step is ``Aᵀ vectors``: ``k × n_labels`` numbers to find, whatever ``dim`` is.
        """
        shape = (len(vectors), len(self._task.names))
        if not len(vectors):
            return np.zeros_like(self._fitted())
        base, gram = vectors @ self._fitted().T + self._bias, vectors @ vectors.T
        truth = np.eye(shape[1])[labels.astype(int)]

        def loss(flat: Vector) -> tuple[float, Vector]:
            a = flat.reshape(shape)
            pull = gram @ a
            logits = base + pull
            value = -float((log_softmax(logits, axis=1) * truth).sum()) + float((a * pull).sum()) / 2 / self._strength
            slope = gram @ (softmax(logits, axis=1) - truth + a / self._strength)
            return value, slope.ravel()

        found = minimize(loss, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 50})
        return np.asarray(found.x.reshape(shape).T @ vectors)


def choose_strength(embeddings: Embeddings, labels: Labels, groups: Sequence[str] | None) -> float:
    """The inverse ridge strength with the best cross-validated log-loss; 10 where a label has too few groups."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415 - see ``fit``: slow to import
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_score  # noqa: PLC0415 - the same

    blocks = np.unique(np.arange(len(labels)) if groups is None else groups, return_inverse=True)[1]
    folds = min(3, *(len(np.unique(blocks[labels == k])) for k in np.unique(labels)))
    if folds < 2:
        return 10.0
    x = np.asarray(embeddings, dtype=float)
    splits = list(StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(x, labels, blocks))
    if any(len(np.unique(labels[train])) < len(np.unique(labels)) for train, _ in splits):
        return 10.0
    scores = [
        cross_val_score(LogisticRegression(C=c, max_iter=2000), x, labels, cv=splits, scoring="neg_log_loss").mean()
        for c in STRENGTHS
    ]
    return STRENGTHS[int(np.argmax(scores))]
