"""What scripted agents say on a whole calibration set: skills, prices, second thoughts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from kit import TASK, evidence_for, opinion

from doubleread.core.opinion import Abstention, Answer, Usage
from doubleread.orchestrator.course.policy import Policy
from doubleread.orchestrator.learning.arbitration import Learning, Readings, fit_arbiter

QUICK = Learning(rule="log-pool", calibrator="temperature", folds=2)
"""The quickest fit: what is tested here does not depend on the rule."""


@dataclass(frozen=True)
class Script:
    """How an agent answers: ``then`` is its skill in the second round, None where it does not look again."""

    skill: float
    then: float | None = None
    usd: float | None = 0.0
    silent: float = 0.0
    """Share of answers that are abstentions."""


def readings(scripts: Mapping[str, Script], n: int, seed: int = 0) -> Readings:
    """Answers of every agent on ``n`` cases: surer where it is right, wrong in favour of any other label."""
    rng, labels = np.random.default_rng(seed), np.arange(n) % 3
    first = [[_says(rng, name, s, s.skill, truth, 1) for name, s in scripts.items()] for truth in labels]
    second = [
        [_again(rng, first_said, s, truth) for first_said, s in zip(row, scripts.values(), strict=True)]
        for row, truth in zip(first, labels, strict=True)
    ]
    near = rng.normal(0.8, 0.05, n)
    evidence = [evidence_for(TASK.names[k], similarity=s) for k, s in zip(labels, near.tolist(), strict=True)]
    return Readings(first, second, evidence, labels, None, "a script")


def panel(scripts: Mapping[str, Script], n: int = 120, *, policy: Policy, seed: int = 0, learning: Learning = QUICK):
    """An arbiter that learned from such answers."""
    return fit_arbiter(TASK, tuple(scripts), readings(scripts, n, seed), policy, learning)


def _again(rng: np.random.Generator, first: Answer, script: Script, truth: int) -> Answer:
    return first if script.then is None else _says(rng, first.agent, script, script.then, truth, 2)


def _says(rng: np.random.Generator, name: str, script: Script, skill: float, truth: int, turn: int) -> Answer:
    if rng.random() < script.silent:
        return Abstention(agent=name, cause="timeout", round=turn)
    right = rng.random() < skill
    top = truth if right else (truth + rng.integers(1, 3)) % 3
    sure = rng.uniform(0.6, 0.95) if right else rng.uniform(0.4, 0.8)
    shares = np.full(3, (1 - sure) / 2)
    shares[top] = sure
    return opinion(name, *shares, round=turn).model_copy(update={"usage": Usage(cost_usd=script.usd), "seconds": 1.0})
