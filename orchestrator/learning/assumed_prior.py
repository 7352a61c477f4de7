"""Opinions are brought to one prior before they are calibrated: the label shares of the calibration cases.

An agent that treats all labels as equally frequent says something else about a rare label than one that knows how rare
it is. An opinion ``p`` that assumes the prior ``a`` becomes ``p' ∝ p · s / a`` at the label shares ``s`` (Bayes' rule
with unchanged likelihoods; Saerens, Latinne and Decaestecker 2002, equation 2.4). Neither temperature scaling nor a
log-pool could make up for it later: they have no intercept.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from doubleread.core.opinion import Answer, Opinion, OpinionPrior
from doubleread.core.task import Task
from doubleread.core.types import Tensor3, Vector
from doubleread.orchestrator.simplex import normalised

Assumed = tuple[Vector | None, ...]
"""Of each agent the prior that its opinions assume, ``(k,)``; None where that is unknown."""


def stated_priors(agents: int, answers: Sequence[Sequence[Answer]]) -> tuple[OpinionPrior | None, ...]:
    """Which prior each agent says its opinions assume, by its first opinion; None where it gave none."""
    return tuple(
        next((a.prior for case in answers if isinstance(a := case[agent], Opinion)), None) for agent in range(agents)
    )


def assumed_priors(priors: Sequence[OpinionPrior | None], task: Task, support: Vector | None) -> Assumed:
    """The priors as numbers; ``support`` holds the label shares of the cases that agents were fitted on, ``(k,)``."""
    known: Mapping[OpinionPrior | None, Vector | None] = {
        "balanced": np.full(len(task.names), 1 / len(task.names)),
        "support": support,
        "stated": task.prior_vector(),
    }
    return tuple(known.get(name) for name in priors)


def at_shares(raw: Tensor3, assumed: Assumed, shares: Vector) -> Tensor3:
    """Opinions ``(n, agents, k)`` as they are at the label ``shares``, ``(k,)``.

    Those of an agent whose prior is unknown stay as they are.
    """
    factors = np.stack([np.ones(len(shares)) if a is None else shares / a for a in assumed])
    moved = normalised(raw) * factors
    known = np.array([a is not None for a in assumed])[None, :, None]
    return np.where(known, moved / moved.sum(axis=-1, keepdims=True), raw)
