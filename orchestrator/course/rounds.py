"""Fuses the agents' opinions after each round.

After a second look either the answers of both rounds are fused together, or the posterior is the geometric mean of the
separately fused rounds; the calibration cases decide which.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic.dataclasses import dataclass as pydantic_dataclass

from doubleread.core.types import Matrix, Tensor3
from doubleread.orchestrator.arrays import CONFIG
from doubleread.orchestrator.learning.fusion_learning import Learned
from doubleread.orchestrator.simplex import normalised, softmax, spoken

Pooling = Literal["answers", "rounds"]
"""``answers``: both rounds are fused together; ``rounds``: geometric mean of separately fused rounds."""


@pydantic_dataclass(frozen=True, config=CONFIG)
class SecondLookFusion:
    """Fusion of the answers of both rounds; see ``Pooling``."""

    pooling: Pooling
    learned: Learned


@dataclass(frozen=True)
class Fusion:
    """Fuses the first round with ``first`` and a second look, if any, with ``second``.

    Opinions are uncalibrated, ``(n, agents, k)``, NaN if missing; ``again`` holds those of the second look.
    """

    first: Learned
    second: SecondLookFusion | None = None

    def posterior(self, first: Tensor3, again: Tensor3 | None = None) -> Matrix:
        """One posterior per case, ``(n, k)``; NaN without any opinion."""
        if self.second is None or again is None:
            return posteriors(self.first, first)
        return posteriors_of_both(self.first, self.second, first, again)

    def calibrated(self, first: Tensor3, again: Tensor3 | None = None) -> Tensor3:
        """Each agent's last opinion after calibration, shape as ``first``."""
        before = self.first.calibrate(first)
        if self.second is None or again is None:
            return before
        if self.second.pooling == "rounds":
            return latest(before, self.second.learned.calibrate(latest(first, again)))
        both = self.second.learned.calibrate(np.concatenate([first, again], axis=1))
        return latest(*np.split(both, 2, axis=1))


def posteriors(learned: Learned, raw: Tensor3) -> Matrix:
    """Posteriors of one round, ``(n, k)``; NaN without any opinion. Opinions are ``(n, agents, k)``."""
    calibrated = learned.calibrate(raw)
    heard = spoken(calibrated).any(axis=1, keepdims=True)
    return np.where(heard, learned.rule.fuse(calibrated), np.nan)


def posteriors_of_both(learned: Learned, look: SecondLookFusion, first: Tensor3, again: Tensor3) -> Matrix:
    """Posteriors after a second look, ``(n, k)``; NaN without any opinion. ``learned`` fuses the first round."""
    if look.pooling == "answers":
        return posteriors(look.learned, np.concatenate([first, again], axis=1))
    before, after = posteriors(learned, first), posteriors(look.learned, latest(first, again))
    return combine([latest(after, before), latest(before, after)])


def latest(first: NDArray[np.float64], again: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each agent's latest opinion, from opinions ``(…, agents, k)`` of either round."""
    return np.where(np.isnan(again), first, again)


def struck(raw: Tensor3, slot: int) -> Tensor3:
    """Opinions ``(n, agents, k)`` without those of one agent."""
    other = raw.copy()
    other[:, slot] = np.nan
    return other


def combine(rounds: Sequence[Matrix]) -> Matrix:
    """Normalised geometric mean of the rounds' posteriors, each ``(cases, labels)``."""
    return softmax(np.mean([np.log(normalised(posterior)) for posterior in rounds], axis=0))


Flags = NDArray[np.bool_]


def surest_opinions(raw: Tensor3) -> Tensor3:
    """Each agent's most confident opinion for each label among ``(n, agents, k)``; shape ``(agents, k, k)``.

    NaN for an agent without any opinion.
    """
    agents, k = raw.shape[1:]
    found = np.full((agents, k, k), np.nan)
    for a in range(agents):
        rows = raw[~np.isnan(raw[:, a]).any(axis=1), a]
        if len(rows):
            found[a] = rows[rows.argmax(axis=0)]
    return found


def filled(raw: Tensor3, missing: Flags, surest: Tensor3, label: int) -> Tensor3:
    """Opinions ``(n, agents, k)`` as if all ``missing`` agents, ``(n, agents)``, had favoured one label."""
    return np.where(missing[..., None], surest[None, :, label], raw)


def replaced(row: Matrix, missing: Flags, surest: Tensor3) -> Tensor3:
    """One case's opinions ``(agents, k)``, filled for each label, ``(k, agents, k)``."""
    return np.concatenate([filled(row[None], missing[None], surest, label) for label in range(row.shape[1])])
