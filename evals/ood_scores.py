"""The ways to score how unfamiliar a case is to a panel, from its verdicts: the panel's own, and the baselines."""

from collections.abc import Sequence

import numpy as np
from scipy.special import entr

from doubleread.core.task import Task
from doubleread.core.types import Matrix, Tensor3, Vector
from doubleread.core.verdict import Verdict
from doubleread.orchestrator.ood.familiarity import nearness_of

OURS = "familiarity"
COOKED = ("discriminant", "logistic", "zero-shot")
"""Closed-set classifier, linear probe, zero-shot CLIP, where they speak: the ensemble of COOkeD (arXiv 2507.22576)."""


def first_opinions(verdicts: Sequence[Verdict], agents: Sequence[str], task: Task) -> Tensor3:
    """What the agents said at first, uncalibrated, ``(n, agents, k)``; NaN where one gave no opinion."""
    said = np.full((len(verdicts), len(agents), len(task.names)), np.nan)
    for i, verdict in enumerate(verdicts):
        for opinion in verdict.opinions:
            if opinion.round == 1 and opinion.agent in agents:
                said[i, agents.index(opinion.agent)] = opinion.vector(task)
    return said


def scores(verdicts: Sequence[Verdict], agents: Sequence[str], task: Task) -> dict[str, Vector]:
    """Every baseline's scores, high for the unfamiliar, each ``(n,)``; agents that never spoke have none."""
    said = first_opinions(verdicts, agents, task)
    spoke = [i for i in range(len(agents)) if not np.isnan(said[:, i]).any()]
    posterior = np.array([[v.scores[name] for name in task.names] for v in verdicts])
    cooked = said[:, [i for i in spoke if agents[i] in COOKED]].mean(axis=1)
    distributions = {
        **{agents[i]: said[:, i] for i in spoke},
        "posterior": posterior,
        "panel-average": said[:, spoke].mean(axis=1),
        "cooked": cooked,
    }
    found = {f"{name}.msp": -p.max(axis=1) for name, p in distributions.items()}
    found |= {f"{name}.entropy": _entropy(p) for name, p in distributions.items()}
    qualities = [v.evidence.quality if v.evidence else None for v in verdicts]
    found["nearest-case"] = np.array([np.nan if q is None else -q.similarity for q in qualities])
    found["nearness"] = np.array([-nearness_of(v.evidence) for v in verdicts])
    return found


def _entropy(p: Matrix) -> Vector:
    return np.asarray(entr(p).sum(axis=1))
