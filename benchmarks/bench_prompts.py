"""How often `prompts try` calls a prompt better: by chance if none is, and rightly if one is. On simulated answers.

A case has a difficulty, which all prompts share with it and with its group: their mistakes are correlated, as those of
one model are. Stated confidences are few, high and overconfident.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.figure import Figure
from doubleread.core.types import Labels, Matrix
from doubleread.orchestrator.learning.fusion_learning import Sample
from doubleread.orchestrator.learning.prompt_choice import ONE_ERROR, best_of, calibrated, differences
from doubleread.orchestrator.metrics import wilson

LABELS, CASES, TRIALS = 4, 60, 300
STATED = (0.6, 0.7, 0.8, 0.9, 0.95)
BASE = 0.65
"""Accuracy of the present prompt."""
SHARED = 1.0
"""Standard deviation of the difficulty, in logits, of a case and of its group."""


def prompts_try() -> Iterator[Figure]:
    """Rates over simulated trials of 60 images."""
    limit = f"<= {ONE_ERROR + 0.045:.3f}"  # 16 %, and 2 standard errors of a rate of 300 trials
    for others, size in ((1, 1), (4, 1), (1, 3)):
        name = f"prompts_try.false better, {others} other, groups of {size}"
        yield _rate(name, [BASE] * (others + 1), size, limit)
    for better in (0.75, 0.85):
        yield _rate(f"prompts_try.real {BASE:.2f} to {better:.2f} found", [BASE, better], 1)
    yield _rate("prompts_try.real 0.65 to 0.85 found among 4", [BASE, BASE, BASE, BASE, 0.85], 1, right=3)
    yield _rate("prompts_try.worse prompt called better (0.65 to 0.55)", [BASE, 0.55], 1, "<= 0.05")


def _rate(name: str, accuracies: Sequence[float], size: int, target: str = "", right: int | None = None) -> Figure:
    """The share of trials in which another prompt, or the one at place ``right``, is chosen."""
    chosen = [chosen_of(accuracies, size, seed) for seed in range(TRIALS)]
    hits = sum(one is not None and right in (None, one) for one in chosen)
    low, high = wilson(hits, TRIALS)
    note = f"{CASES} images, {TRIALS} trials, 95 % interval (Wilson)"
    return Figure(name=name, value=hits / TRIALS, low=low, high=high, n=TRIALS, target=target, note=note)


def chosen_of(accuracies: Sequence[float], size: int, seed: int) -> int | None:
    """The place of the prompt that a trial chooses among all but the first; None if it keeps the first."""
    rng = np.random.default_rng(seed)
    codes = np.arange(CASES) // size
    labels = rng.permutation(np.arange(CASES // size) % LABELS)[codes]
    difficulty = SHARED * (rng.normal(size=CASES) + rng.normal(size=CASES)[codes])
    sample = Sample(labels=labels, groups=[str(code) for code in codes], seed=seed)
    present, *others = (calibrated(_said(labels, one, difficulty, rng), sample) for one in accuracies)
    return best_of(differences(present, others, sample))


def _said(labels: Labels, accuracy: float, difficulty: Matrix, rng: np.random.Generator) -> Matrix:
    """Distributions ``(n, k)`` that are right about as often as ``accuracy``."""
    logit = np.log(accuracy / (1 - accuracy)) * 1.4  # the difficulties pull the mean towards one half
    right = rng.random(len(labels)) < 1 / (1 + np.exp(difficulty - logit))
    wrong = (labels + rng.integers(1, LABELS, len(labels))) % LABELS
    lead = rng.choice(STATED, len(labels))
    found = np.repeat(((1 - lead) / (LABELS - 1))[:, None], LABELS, axis=1)
    found[np.arange(len(labels)), np.where(right, labels, wrong)] = lead
    return found
