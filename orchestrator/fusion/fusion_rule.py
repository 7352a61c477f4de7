"""Base of the fusion rules: selects the present agents and applies the prior."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from doubleread.core.base import Record
from doubleread.core.errors import DataError
from doubleread.core.types import Labels, Matrix, Tensor3, Vector
from doubleread.orchestrator.learning.parametric import Parametric
from doubleread.orchestrator.simplex import normalised, shares, softmax, spoken

Present = NDArray[np.bool_]
"""Whether each agent gave an opinion on each case, shape ``(n, agents)``."""


class PanelRecord(Record):
    """Fields of every fitted rule."""

    prior: tuple[float, ...]
    """The prior of new cases."""
    seen: tuple[float, ...]
    """Label shares of the cases it was fitted on."""
    heard: tuple[bool, ...] = Field(min_length=1)
    """Which agents gave any opinion there; others are ignored."""
    case_weight: float = Field(default=1.0, gt=0, le=1)
    """Weight of one case relative to the priors; below 1 if cases of a group are alike."""
    doubt: float = Field(default=0.0, ge=0, lt=1)
    """Share of the prior that is mixed into every posterior."""


R = TypeVar("R", bound=PanelRecord)


class PanelRule(Parametric[R], Generic[R]):
    """A fusion rule: ``_learn`` fits it, ``_pool`` gives log posteriors ``(n, k)`` up to a constant, at ``seen``.

    The posterior holds under ``prior``: logits fitted at label shares ``seen`` are shifted by ``log prior - log seen``
    (Saerens et al. 2002). A share ``doubt`` of ``1 / (2n + 2)`` of the prior is then mixed in: n cases cannot show that
    all agents fail together more rarely. Here n is the number of cases times ``case_weight``.
    """

    def fit(self, opinions: Tensor3, labels: Labels, prior: Vector, case_weight: float = 1.0) -> Self:
        """Fits on calibrated opinions ``(n, agents, k)``, with NaN rows for missing ones.

        Raises ``DataError`` without any opinion, or for mismatched shapes.
        """
        n, _, k = opinions.shape
        if n != len(labels) or len(prior) != k:
            raise DataError(f"opinions have shape {opinions.shape}, labels {labels.shape}, the prior {prior.shape}")
        heard = np.any(spoken(opinions), axis=0)
        if not np.any(heard):
            raise DataError(f"no agent gave an opinion on any of {n} cases: {self.kind!r} cannot be fitted")
        seen = _floats(shares(labels, k))
        voices = tuple(bool(spoke) for spoke in np.atleast_1d(heard))
        panel = PanelRecord(
            prior=_floats(normalised(prior)),
            seen=seen,
            heard=voices,
            case_weight=case_weight,
            doubt=0.5 / (n * case_weight + 1),
        )
        self._fitted = self._learn(opinions, labels, panel)
        return self

    def fuse(self, opinions: Tensor3) -> Matrix:
        """Returns one posterior per case, ``(n, k)``; the prior if no agent gave an opinion.

        Raises ``DataError`` if the shape does not match the fitted panel.
        """
        fitted = self.fitted
        if opinions.ndim != 3 or opinions.shape[1:] != (len(fitted.heard), len(fitted.prior)):
            wanted = f"(n, {len(fitted.heard)}, {len(fitted.prior)})"
            raise DataError(f"opinions have shape {opinions.shape}; {self.kind!r} was fitted for {wanted}")
        present = spoken(opinions) & np.array(fitted.heard)
        logits = self._pool(opinions, present) + np.log(fitted.prior) - np.log(fitted.seen)
        logits[~present.any(axis=1)] = np.log(fitted.prior)
        return np.asarray((1 - fitted.doubt) * softmax(logits) + fitted.doubt * np.array(fitted.prior))

    @abstractmethod
    def _learn(self, opinions: Tensor3, labels: Labels, panel: PanelRecord) -> R: ...

    @abstractmethod
    def _pool(self, opinions: Tensor3, present: Present) -> Matrix: ...


def logs_of(opinions: Tensor3, present: Present, seen: Sequence[float], floor: float = 1e-4) -> Tensor3:
    """Log-ratio of each opinion to the label shares ``seen``; 0 for an absent agent, shape as ``opinions``."""
    return np.where(present[..., None], np.log(normalised(opinions, floor)) - np.log(seen), 0.0)


def _floats(values: Vector) -> tuple[float, ...]:
    return tuple(float(x) for x in values)


def effective(present: NDArray[np.generic], rho: float) -> Vector:
    """Effective number of independent opinions of ``m`` agents: ``m / (1 + (m - 1) rho)``, shape ``(n,)``.

    ``present`` holds m for each case. A single agent counts as one, and so do copies of it (rho = 1); independent
    agents (rho = 0) count in full. Source: the design effect of equally correlated observations (Kish 1965).
    """
    m = np.asarray(present, dtype=float)
    return np.asarray(m / (1 + np.maximum(m - 1, 0) * rho))
