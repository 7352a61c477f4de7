"""Before calibration, shifts opinions to one prior: the label shares of the calibration cases.

An agent that treats all labels as equally frequent gives rare labels other probabilities than one that knows their
prevalence. An opinion ``p`` that assumes the prior ``a`` becomes ``p' ∝ p · s / a`` at the label shares ``s`` (Bayes'
rule with unchanged likelihoods; Saerens, Latinne and Decaestecker 2002, equation 2.4). Temperature scaling and
log-pools cannot correct this later: they have no intercept.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from doubleread.core.opinion import Answer, Opinion, OpinionPrior
from doubleread.core.task import Task
from doubleread.core.types import Tensor3, Vector
from doubleread.orchestrator.simplex import normalised

Assumed = tuple[Vector | None, ...]
"""Prior assumed by each agent's opinions, ``(k,)``; None if unknown."""


def stated_priors(agents: int, answers: Sequence[Sequence[Answer]]) -> tuple[OpinionPrior | None, ...]:
    """Prior stated in each agent's first opinion; None without one."""
    return tuple(
        next((a.prior for case in answers if isinstance(a := case[agent], Opinion)), None) for agent in range(agents)
    )


def assumed_priors(priors: Sequence[OpinionPrior | None], task: Task, support: Vector | None) -> Assumed:
    """Converts priors to numbers; ``support`` holds the label shares of the agents' support, ``(k,)``."""
    known: Mapping[OpinionPrior | None, Vector | None] = {
        "balanced": np.full(len(task.names), 1 / len(task.names)),
        "support": support,
        "stated": task.prior_vector(),
    }
    return tuple(known.get(name) for name in priors)


def at_shares(raw: Tensor3, assumed: Assumed, shares: Vector) -> Tensor3:
    """Shifts opinions ``(n, agents, k)`` to the label ``shares``, ``(k,)``.

    Opinions with an unknown prior stay unchanged.
    """
    factors = np.stack([np.ones(len(shares)) if a is None else shares / a for a in assumed])
    moved = normalised(raw) * factors
    known = np.array([a is not None for a in assumed])[None, :, None]
    return np.where(known, moved / moved.sum(axis=-1, keepdims=True), raw)
